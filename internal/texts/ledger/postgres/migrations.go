package postgres

// migrations lead from each version of the ledger's table to the next. One that has been
// released is never changed.
var migrations = []string{`
CREATE TABLE mllmrec.generation (
	id            bigint GENERATED ALWAYS AS IDENTITY,
	key           text COLLATE "C" PRIMARY KEY,
	stage         text COLLATE "C" NOT NULL,
	subject       text COLLATE "C" NOT NULL,
	fold          int NOT NULL,
	status        text COLLATE "C" NOT NULL CHECK (status IN ('ok', 'quarantined')),
	text          text NOT NULL,
	model         text COLLATE "C" NOT NULL,
	model_digest  text NOT NULL,
	params        text NOT NULL,
	prompt_hash   text NOT NULL,
	image_hash    text NOT NULL,
	split_hash    text NOT NULL,
	scope         text NOT NULL,
	sources       int[] NOT NULL,
	class         text NOT NULL,
	error         text NOT NULL,
	finish        text NOT NULL,
	prompt_tokens bigint NOT NULL,
	answer_tokens bigint NOT NULL,
	seconds       double precision NOT NULL,
	attempt       int NOT NULL,
	created       timestamptz NOT NULL
);
CREATE INDEX generation_subject ON mllmrec.generation (stage, subject, fold, created, id);
CREATE INDEX generation_status ON mllmrec.generation (stage, model, status);
`, `
-- Covers Count, so that a look at a run among a million answers reads no answer.
CREATE INDEX generation_split ON mllmrec.generation (stage, split_hash, model, status);
DROP INDEX mllmrec.generation_status;
`}
