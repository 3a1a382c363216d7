package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"

	"github.com/mllmrec/mllmrec/internal/database/sqlitefile"
)

// init registers the hash of keys as an SQL function, because the upgrade runs in SQL.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("mllmrec_key_hash", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		key, ok := args[0].(string)
		if !ok {
			return nil, fmt.Errorf("a key is a %T", args[0])
		}
		return keyHash(key), nil
	})
}

// upgradeFrom1 moves the rows of format 1's only table into the tables of format 2. It runs
// within tx: if it fails or the process is killed, the file is unchanged.
func upgradeFrom1(ctx context.Context, tx *sql.Tx) error {
	if err := sqlitefile.ExecAll(ctx, tx, "ALTER TABLE generations RENAME TO generations_1", tables, `
		INSERT INTO origins (`+originColumns+`) SELECT DISTINCT `+originColumns+` FROM generations_1`, `
		INSERT INTO answers (id, hash, key, origin, subject, fold, params, image_hash, sources, prompt_tokens, answer_tokens,
			seconds, attempt, created, error, text)
		SELECT g.id, mllmrec_key_hash(g.key), g.key, o.id, g.subject, g.fold, g.params, g.image_hash, g.sources, g.prompt_tokens,
			g.answer_tokens, g.seconds, g.attempt, g.created, g.error, g.text
		FROM generations_1 g CROSS JOIN origins o
		WHERE o.stage = g.stage AND o.model = g.model AND o.model_digest = g.model_digest AND o.prompt_hash = g.prompt_hash
			AND o.split_hash = g.split_hash AND o.scope = g.scope AND o.status = g.status AND o.class = g.class AND o.finish = g.finish
		ORDER BY g.id`); err != nil {
		return err
	}
	var before, after int
	if err := tx.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM generations_1), (SELECT count(*) FROM answers)").Scan(&before, &after); err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("%d of %d generations arrived, so the file is left unchanged", after, before)
	}
	if err := sqlitefile.ExecAll(ctx, tx, "DROP TABLE generations_1", indexes, views); err != nil {
		return err
	}
	return nil
}
