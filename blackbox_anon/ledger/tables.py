"""The ledger's tables. Sums are kept by triggers, so they cannot drift from the attempts."""

from blackbox_anon.ledger.store import Schema

LEDGER = Schema(
    kind="ledger of paid calls",
    application=0x62626C67,  # "bblg"
    version=1,
    script="""
CREATE TABLE processes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: liveness is known by it
    run TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started REAL NOT NULL  -- seconds since 1970, as all times here
);
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    process INTEGER NOT NULL REFERENCES processes (id),
    model TEXT NOT NULL,
    request TEXT NOT NULL,  -- SHA-256 of identity and payload
    started REAL NOT NULL,
    ended REAL,
    reserved_nano INTEGER NOT NULL,  -- the worst case, in billionths of a US dollar
    reserved_input INTEGER NOT NULL,
    reserved_output INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,  -- what counts: the reserved, until the real is known
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in_flight', 'paid', 'free', 'unknown')),
    outcome TEXT NOT NULL  -- 'response', the kind of failure, 'error', 'lost', or '' in flight
);
CREATE INDEX attempts_in_flight ON attempts (process) WHERE state = 'in_flight';
CREATE TABLE totals (
    state TEXT NOT NULL,
    outcome TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (state, outcome)
);
CREATE TRIGGER attempt_begins AFTER INSERT ON attempts BEGIN
    INSERT INTO totals VALUES
        (NEW.state, NEW.outcome, 1, NEW.cost_nano, NEW.input_tokens, NEW.output_tokens)
    ON CONFLICT DO UPDATE SET
        attempts = attempts + 1,
        cost_nano = cost_nano + NEW.cost_nano,
        input_tokens = input_tokens + NEW.input_tokens,
        output_tokens = output_tokens + NEW.output_tokens;
END;
CREATE TRIGGER attempt_ends AFTER UPDATE ON attempts BEGIN
    UPDATE totals SET
        attempts = attempts - 1,
        cost_nano = cost_nano - OLD.cost_nano,
        input_tokens = input_tokens - OLD.input_tokens,
        output_tokens = output_tokens - OLD.output_tokens
    WHERE state = OLD.state AND outcome = OLD.outcome;
    INSERT INTO totals VALUES
        (NEW.state, NEW.outcome, 1, NEW.cost_nano, NEW.input_tokens, NEW.output_tokens)
    ON CONFLICT DO UPDATE SET
        attempts = attempts + 1,
        cost_nano = cost_nano + NEW.cost_nano,
        input_tokens = input_tokens + NEW.input_tokens,
        output_tokens = output_tokens + NEW.output_tokens;
END;
CREATE TABLE excesses (  -- how far a model's real usage was above its worst case, at most
    model TEXT PRIMARY KEY,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL
);
""",
)
