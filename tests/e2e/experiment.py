"""How an experiment says what it found."""


def told(name, failures, trials, what):
    """Prints the line of an experiment that is through. Where nothing failed in N trials, the rate of failure
    is below 3/N with 95 % confidence (the rule of three); it is no proof."""
    assert trials > 0, f"{name} tried nothing"
    print(f"experiment {name}: {failures} of {trials} {what}, 95 % bound {300 / trials:.3g} %", flush=True)
    assert failures == 0, f"{name}: {failures} of {trials} {what}"
