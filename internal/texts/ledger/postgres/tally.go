package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// Selection selects the generations of one workspace, as far as a ledger of several
// workspaces can distinguish them without their keys.
type Selection struct {
	Stage     string
	Model     string   // empty: any
	SplitHash string   // of preferences; empty for descriptions
	Subjects  []string // nil: any
}

// Tally counts generations.
type Tally struct{ OK, Quarantined int }

func (t *Tally) add(status string, n int) {
	if status == texts.StatusOK {
		t.OK += n
	} else {
		t.Quarantined += n
	}
}

// Count counts the generations of a selection. It creates no tables: a database without a
// ledger has no generations.
func Count(ctx context.Context, pool *pgxpool.Pool, sel Selection) (t Tally, err error) {
	err = pg.Retry(ctx, pg.RetryRead, func(ctx context.Context) error {
		var there bool
		if err := pool.QueryRow(ctx, "SELECT to_regclass('mllmrec.generation') IS NOT NULL").Scan(&there); err != nil || !there {
			return err
		}
		if sel.Subjects != nil {
			t, err = sel.countSubjects(ctx, pool)
		} else {
			t, err = sel.countAll(ctx, pool)
		}
		return err
	})
	return t, explain("read", err)
}

// where is the condition on everything but the subjects.
func (sel Selection) where() (text string, args []any) {
	text, args = " FROM mllmrec.generation WHERE stage = $1 AND split_hash = $2", []any{sel.Stage, sel.SplitHash}
	if sel.Model != "" {
		text, args = text+" AND model = $3", append(args, sel.Model)
	}
	return text, args
}

func (sel Selection) countAll(ctx context.Context, pool *pgxpool.Pool) (t Tally, err error) {
	text, args := sel.where()
	rows, err := pool.Query(ctx, "SELECT status, count(*)"+text+" GROUP BY status", args...)
	if err != nil {
		return t, err
	}
	var status string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error {
		t.add(status, n)
		return nil
	})
	return t, err
}

// countSubjects compares subjects in this process: without statistics of the table, the
// planner may choose a join that takes hours.
func (sel Selection) countSubjects(ctx context.Context, pool *pgxpool.Pool) (t Tally, err error) {
	wanted := make(map[string]bool, len(sel.Subjects))
	for _, s := range sel.Subjects {
		wanted[clean(s)] = true
	}
	text, args := sel.where()
	rows, err := pool.Query(ctx, "SELECT status, subject"+text, args...)
	if err != nil {
		return t, err
	}
	var status, subject string
	_, err = pgx.ForEachRow(rows, []any{&status, &subject}, func() error {
		if wanted[subject] {
			t.add(status, 1)
		}
		return nil
	})
	return t, err
}
