package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/reason"
)

// Selection names generations of one workspace, as far as a ledger that serves several
// can tell them apart without their keys.
type Selection struct {
	Stage     string
	Model     string   // empty: any
	SplitHash string   // preferences have one, descriptions belong to no split
	Subjects  []string // nil: any
}

// Tally counts generations.
type Tally struct{ OK, Quarantined int }

// Count counts the generations of a selection. It makes no tables: a database without a
// ledger has none.
func Count(ctx context.Context, pool *pgxpool.Pool, sel Selection) (Tally, error) {
	text := "SELECT status, count(*) FROM mllmrec.generation WHERE stage = $1 AND split_hash = $2"
	args := []any{sel.Stage, sel.SplitHash}
	if sel.Model != "" {
		args = append(args, sel.Model)
		text += " AND model = $3"
	}
	if sel.Subjects != nil {
		args = append(args, sel.Subjects)
		text += fmt.Sprintf(" AND subject IN (SELECT unnest($%d::text[]))", len(args))
	}
	var t Tally
	err := Retry(ctx, readPatience, func(ctx context.Context) error {
		var there bool
		if err := pool.QueryRow(ctx, "SELECT to_regclass('mllmrec.generation') IS NOT NULL").Scan(&there); err != nil || !there {
			return err
		}
		rows, err := pool.Query(ctx, text+" GROUP BY status", args...)
		if err != nil {
			return err
		}
		t = Tally{}
		var status string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error {
			if status == reason.StatusOK {
				t.OK = n
			} else {
				t.Quarantined = n
			}
			return nil
		})
		return err
	})
	return t, explain("read", err)
}
