package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/texts"
)

// putSize is how many generations one statement stores.
const putSize = 1000

// upsert stores generations, given as one array for each column. The first answer stored
// under a key is kept.
const upsert = `INSERT INTO mllmrec.generation AS old (` + columns + `)
SELECT a.key, a.stage, a.subject, a.fold, a.status, a.text, a.model, a.model_digest, a.params, a.prompt_hash, a.image_hash,
	a.split_hash, a.scope, a.sources::int[], a.class, a.error, a.finish, a.prompt_tokens, a.answer_tokens, a.seconds, a.attempt, a.created
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
	$12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::bigint[], $19::bigint[], $20::float8[], $21::int[], $22::timestamptz[])
	AS a (` + columns + `)
ON CONFLICT (key) DO UPDATE SET stage = excluded.stage, subject = excluded.subject, fold = excluded.fold,
	status = excluded.status, text = excluded.text, model = excluded.model, model_digest = excluded.model_digest,
	params = excluded.params, prompt_hash = excluded.prompt_hash, image_hash = excluded.image_hash,
	split_hash = excluded.split_hash, scope = excluded.scope, sources = excluded.sources, class = excluded.class,
	error = excluded.error, finish = excluded.finish, prompt_tokens = excluded.prompt_tokens,
	answer_tokens = excluded.answer_tokens, seconds = excluded.seconds, attempt = excluded.attempt, created = excluded.created
WHERE old.status <> '` + texts.StatusOK + `'`

// Put implements texts.Store. While the database cannot be reached it retries, for up to ten
// minutes. It may repeat a commit whose outcome is unknown, since storing the same
// generations again changes nothing.
func (s *Store) Put(ctx context.Context, generations []texts.Generation) error {
	for _, g := range generations {
		if err := check(g); err != nil {
			return explain("write", err)
		}
	}
	if err := ctx.Err(); err != nil || len(generations) == 0 {
		return explain("write", err)
	}
	settled := lastPerKey(generations)
	for i := range settled {
		settled[i].Redact()
	}
	err := pg.Retry(ctx, pg.RetryWrite, func(ctx context.Context) error {
		if len(settled) <= putSize { // one statement is a transaction of its own
			_, err := s.pool.Exec(ctx, upsert, arrays(settled)...)
			return err
		}
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			for part := range slices.Chunk(settled, putSize) {
				if _, err := tx.Exec(ctx, upsert, arrays(part)...); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return explain("write", err)
}

func check(g texts.Generation) error {
	if g.Key == "" || g.Stage == "" {
		return fmt.Errorf("a generation of %q without key or stage", g.Subject)
	}
	if g.Status != texts.StatusOK && g.Status != texts.StatusQuarantined {
		return fmt.Errorf("generation %s: unknown status %q", g.Key, g.Status)
	}
	return nil
}

// lastPerKey returns one generation for each key: the one that would remain if they were
// stored one after the other. It sorts them by key, so that concurrent writers take row
// locks in the same order.
func lastPerKey(generations []texts.Generation) []texts.Generation {
	at := make(map[string]int, len(generations))
	out := make([]texts.Generation, 0, len(generations))
	for _, g := range generations {
		i, met := at[g.Key]
		switch {
		case !met:
			at[g.Key] = len(out)
			out = append(out, g)
		case out[i].Status != texts.StatusOK:
			out[i] = g
		}
	}
	slices.SortFunc(out, func(a, b texts.Generation) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// arrays turns rows into the columns that upsert takes.
func arrays(gs []texts.Generation) []any {
	text := func(of func(g *texts.Generation) string) []string {
		col := make([]string, len(gs))
		for i := range gs {
			col[i] = clean(of(&gs[i]))
		}
		return col
	}
	number := func(of func(g *texts.Generation) int) []int64 {
		col := make([]int64, len(gs))
		for i := range gs {
			col[i] = int64(of(&gs[i]))
		}
		return col
	}
	seconds, created := make([]float64, len(gs)), make([]time.Time, len(gs))
	for i := range gs {
		seconds[i], created[i] = gs[i].Seconds, micros(gs[i].Created)
	}
	type g = texts.Generation
	return []any{
		text(func(x *g) string { return x.Key }), text(func(x *g) string { return x.Stage }),
		text(func(x *g) string { return x.Subject }), number(func(x *g) int { return x.Fold }),
		text(func(x *g) string { return x.Status }), text(func(x *g) string { return x.Text }),
		text(func(x *g) string { return x.Model }), text(func(x *g) string { return x.ModelDigest }),
		text(func(x *g) string { return x.Params }), text(func(x *g) string { return x.PromptHash }),
		text(func(x *g) string { return x.ImageHash }), text(func(x *g) string { return x.SplitHash }),
		text(func(x *g) string { return x.Scope }), text(func(x *g) string { return arrayText(x.Sources) }),
		text(func(x *g) string { return x.Class }), text(func(x *g) string { return x.Error }),
		text(func(x *g) string { return x.Finish }), number(func(x *g) int { return x.PromptTokens }),
		number(func(x *g) int { return x.AnswerTokens }), seconds, number(func(x *g) int { return x.Attempt }), created,
	}
}

// arrayText writes ids as text of a PostgreSQL array, since unnest would flatten an array of
// arrays.
func arrayText(ids []int32) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(id)))
	}
	b.WriteByte('}')
	return b.String()
}
