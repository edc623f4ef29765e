"""A judge model: which of two answers agrees better with the references, as another model sees it. Never decisive."""
