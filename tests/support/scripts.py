"""An answer of some length in five scripts, written for the tests."""

ANSWERS = {
    "English": "Gout is a kind of arthritis that comes suddenly, often at night, and makes one joint red and swollen.",
    "Chinese": "痛风是一种突然发作的关节炎，常在夜间出现，使一个关节红肿、发热并且非常疼痛。",
    "Thai": "โรคเกาต์เป็นข้ออักเสบที่เกิดขึ้นอย่างฉับพลัน มักเป็นตอนกลางคืน",
    "Arabic": "النقرس نوع من التهاب المفاصل يأتي فجأة وغالبا في الليل ويجعل مفصلا واحدا أحمر ومتورما ومؤلما جدا",
    "Russian": "Подагра это вид артрита, который начинается внезапно, часто ночью, и один сустав становится красным.",
}


def without_end(text: str) -> str:
    """`text` with other characters than its own for its last three."""
    return text[:-3] + " wwww"
