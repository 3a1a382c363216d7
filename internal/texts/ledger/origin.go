package ledger

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// originColumns are the columns of table origins, in the order of the fields of origin.
const originColumns = "stage, model, model_digest, prompt_hash, split_hash, scope, status, class, finish"

const numOriginColumns = 9

// origin holds the fields that many generations have in common.
type origin struct {
	stage, model, modelDigest, promptHash, splitHash, scope, status, class, finish string
}

func originOf(g *texts.Generation) origin {
	return origin{g.Stage, g.Model, g.ModelDigest, g.PromptHash, g.SplitHash, g.Scope, g.Status, g.Class, g.Finish}
}

func (o *origin) fill(g *texts.Generation) {
	g.Stage, g.Model, g.ModelDigest, g.PromptHash, g.SplitHash = o.stage, o.model, o.modelDigest, o.promptHash, o.splitHash
	g.Scope, g.Status, g.Class, g.Finish = o.scope, o.status, o.class, o.finish
}

func (o *origin) values() []driver.Value {
	return []driver.Value{o.stage, o.model, o.modelDigest, o.promptHash, o.splitHash, o.scope, o.status, o.class, o.finish}
}

// originCache caches origins for all connections. Stored origins never change.
type originCache struct {
	mu   sync.RWMutex
	byID map[int64]*origin
}

// maxOrigins bounds the cache, for ledgers in which every answer has an origin of its own.
const maxOrigins = 10_000

func (c *originCache) get(id int64) *origin {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[id]
}

func (c *originCache) add(id int64, o *origin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil || len(c.byID) >= maxOrigins {
		c.byID = map[int64]*origin{}
	}
	c.byID[id] = o
}

// originReader reads origins on one connection, within the transaction of that connection.
type originReader struct {
	cache *originCache
	stmt  driver.Stmt
}

func (r *originReader) prepare(ctx context.Context, conn driver.ConnPrepareContext) (err error) {
	r.stmt, err = conn.PrepareContext(ctx, "SELECT "+originColumns+" FROM origins WHERE id = ?")
	return err
}

func (r *originReader) origin(ctx context.Context, id int64) (*origin, error) {
	if o := r.cache.get(id); o != nil {
		return o, nil
	}
	var row [numOriginColumns]driver.Value
	found, err := queryOne(ctx, r.stmt, row[:], id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("origin %d is missing", id)
	}
	t := rowReader{row: row[:]}
	o := &origin{t.text(), t.text(), t.text(), t.text(), t.text(), t.text(), t.text(), t.text(), t.text()}
	if t.err != nil {
		return nil, fmt.Errorf("origin %d: %w", id, t.err)
	}
	r.cache.add(id, o)
	return o, nil
}

// queryOne reads the first row of a query into row; false if there is none.
func queryOne(ctx context.Context, stmt driver.Stmt, row []driver.Value, args ...driver.Value) (found bool, err error) {
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, named(args))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	switch err := rows.Next(row); {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}
