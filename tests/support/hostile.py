"""Text that a stranger may bring, of which each part must stay text."""

HOSTILE = (
    '<img src=x onerror="alert(1)"> :red[boo] $x^2$ [a](javascript:alert(1)) `tick` **bold** :smile: www.evil.test'
)
