from typing import Any

from huggingface_hub import ModelCard

from medqa_core.data.function_words import LISTS
from medqa_core.report.templates import model_card
from medqa_core.runs.run import Run
from tests.support.runs import RunBuilder


def card(run: Run) -> Any:
    return ModelCard(model_card.render(run))


def test_the_card_of_an_adapter(build: RunBuilder) -> None:
    found = card(build.finished())
    data = found.data.to_dict()
    assert data["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert data["base_model_relation"] == "adapter"
    assert data["library_name"] == "peft"
    assert data["license"] == "apache-2.0"
    assert data["language"] == ["en"]
    assert data["datasets"] == ["lavita/MedQuAD"]
    assert "Apache-2.0" in found.text
    assert "CC BY 4.0" in found.text
    assert "converted from a 4-bit file" in found.text
    assert "PeftModel.from_pretrained" in found.text
    results = {r.metric_name: r for r in found.data.eval_results}
    assert results["Test loss"].metric_value == 2.0181
    assert results["MMLU accuracy"].dataset_type == "cais/mmlu"


def test_the_language_is_that_of_the_data_where_it_is_known(build: RunBuilder) -> None:
    own = build.run("own", data={"source": "faq.csv"})
    assert card(own).data.to_dict().get("language") is None
    for language, code in (("German", ["de"]), (None, None)):
        content = {"words": 8, "topics": 5, "templates": False, "language": language}
        build.evaluation(own, protocol={"content": content})
        assert card(own).data.to_dict().get("language") == code
    assert card(build.run("starter", data={"source": "starter"})).data.to_dict()["language"] == ["en"]


def test_every_language_that_is_recognised_has_a_code() -> None:
    assert model_card.LANGUAGES.keys() == LISTS.keys()


def test_the_card_of_a_whole_model(build: RunBuilder) -> None:
    run = build.run(base_model={"id": "distilbert/distilgpt2"})
    (run.folder / "model").mkdir()
    (run.folder / "model" / "model.safetensors").write_text("stub")
    data = card(run).data.to_dict()
    assert data["library_name"] == "transformers"
    assert data["base_model_relation"] == "finetune"
    assert "model-index" not in data


def test_a_local_or_toy_base_is_not_claimed_to_be_on_the_hub(build: RunBuilder) -> None:
    for i, name in enumerate(("toy", "/home/someone/secret/model")):
        run = build.run(f"run-{i}", base_model={"id": name})
        found = card(run)
        assert found.data.get("base_model") is None
        assert found.data.license == "unknown"
        assert "/home/someone" not in found.content


def test_an_imported_run_claims_no_weights(build: RunBuilder) -> None:
    found = card(build.imported(base_model={"id": "distilbert/distilgpt2"}))
    assert found.data.get("base_model") is None
    assert found.data.get("library_name") is None
    assert "it holds no weights" in found.text
    assert all("as its source reports it" in r.metric_name for r in found.data.eval_results)


def test_an_empty_run_has_a_card_without_results(build: RunBuilder) -> None:
    assert "model-index" not in card(build.run()).data.to_dict()
