package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/mllmrec/mllmrec/reason"
)

// lookupKeys is how many keys one query takes. There is one such query, prepared once a
// connection: fewer keys are filled up with the last one, which costs less than a query
// of another length.
const lookupKeys = 64

// mapSize is how much of the file lookups read through a map of it, in bytes: nearly all
// that SQLite can. A page that is mapped is neither fetched by a system call nor copied.
const mapSize = 2<<30 - 1<<16

// readers are the connections that look keys up. Each keeps its statements; they are
// opened as they are needed.
type readers struct {
	db      *sql.DB
	origins *originCache
	free    chan *reader // nil: one that is not open yet
	all     struct {
		sync.Mutex
		open []*reader
	}
}

func newReaders(db *sql.DB, origins *originCache) *readers {
	n := max(2, min(4, runtime.GOMAXPROCS(0)))
	r := &readers{db: db, origins: origins, free: make(chan *reader, n)}
	for range n {
		r.free <- nil
	}
	return r
}

// get returns the generations under keys, several connections at work on parts of them.
func (r *readers) get(ctx context.Context, keys []string) (map[string]reason.Generation, error) {
	found := make(map[string]reason.Generation, len(keys))
	var mu sync.Mutex
	add := func(gs []reason.Generation) {
		mu.Lock()
		defer mu.Unlock()
		for i := range gs {
			found[gs[i].Key] = gs[i]
		}
	}
	parts := max(1, min(cap(r.free), len(keys)/lookupKeys))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for i := 1; i < parts; i++ {
		wg.Go(func() { errs[i] = r.part(ctx, keys[i*len(keys)/parts:(i+1)*len(keys)/parts], add) })
	}
	errs[0] = r.part(ctx, keys[:len(keys)/parts], add)
	wg.Wait()
	return found, errors.Join(errs...)
}

// part looks keys up on one connection.
func (r *readers) part(ctx context.Context, keys []string, add func([]reason.Generation)) error {
	var c *reader
	select {
	case c = <-r.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { r.free <- c }()
	if c == nil {
		opened, err := r.open(ctx)
		if err != nil {
			return err
		}
		c = opened
	}
	err := c.get(ctx, keys, add)
	if c.broken {
		c = nil
	}
	return err
}

func (r *readers) open(ctx context.Context) (*reader, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &reader{conn: conn, found: make([]reason.Generation, 0, lookupKeys)}
	c.cache = r.origins
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA mmap_size = %d", mapSize)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := conn.Raw(c.prepare); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	r.all.Lock()
	defer r.all.Unlock()
	r.all.open = append(r.all.open, c)
	return c, nil
}

func (r *readers) close() error {
	r.all.Lock()
	defer r.all.Unlock()
	var errs []error
	for _, c := range r.all.open {
		if !c.broken {
			errs = append(errs, c.close())
		}
	}
	r.all.open = nil
	return errors.Join(errs...)
}

// reader is one connection with its statements. It speaks to the driver itself: what
// database/sql does for each column of each row takes longer than to find the row.
type reader struct {
	conn      *sql.Conn
	one, many driver.Stmt
	args      [lookupKeys]driver.NamedValue
	found     []reason.Generation // by the last query
	broken    bool
	rowScanner
}

func (c *reader) prepare(driverConn any) (err error) {
	ctx := context.Background()
	conn := driverConn.(driver.ConnPrepareContext)
	const query = "SELECT " + columns + " FROM answers WHERE hash IN (?"
	if c.one, err = conn.PrepareContext(ctx, query+")"); err != nil {
		return err
	}
	if c.many, err = conn.PrepareContext(ctx, query+strings.Repeat(",?", lookupKeys-1)+")"); err != nil {
		return err
	}
	for i := range c.args {
		c.args[i].Ordinal = i + 1
	}
	return c.rowScanner.prepare(ctx, conn)
}

func (c *reader) close() error {
	err := c.conn.Raw(func(any) error { return errors.Join(c.one.Close(), c.many.Close(), c.rowScanner.close()) })
	return errors.Join(err, c.conn.Close())
}

// get calls add with what is stored under keys, in parts; add must not keep them.
func (c *reader) get(ctx context.Context, keys []string, add func([]reason.Generation)) error {
	return c.guarded(func() error {
		for len(keys) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(lookupKeys, len(keys))
			if err := c.find(ctx, keys[:n]); err != nil {
				return err
			}
			add(c.found)
			keys = keys[n:]
		}
		return nil
	})
}

// guarded calls f, which may use the connection. Where the disk fails below the map of a
// file, there is a fault instead of an error: it becomes one here. SQLite was interrupted
// anywhere then, so the connection is broken and must not even be closed.
func (c *reader) guarded(f func() error) error {
	return c.conn.Raw(func(any) (err error) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			switch p := recover().(type) {
			case nil:
			case interface {
				runtime.Error
				Addr() uintptr
			}:
				c.broken = true
				err = fmt.Errorf("a part of the file could not be read: %w", p)
			default:
				panic(p)
			}
		}()
		return f()
	})
}

// find puts what is stored under at most lookupKeys keys into c.found.
func (c *reader) find(ctx context.Context, keys []string) error {
	c.found = c.found[:0]
	stmt, args := c.many, c.args[:]
	if len(keys) == 1 {
		stmt, args = c.one, c.args[:1]
	}
	for i := range args {
		args[i].Value = keyHash(keys[min(i, len(keys)-1)])
	}
	// No lookup waits for a lock, and one is short, so that the driver need not watch ctx,
	// which it does by a goroutine a query.
	return c.scan(context.WithoutCancel(ctx), stmt, args, func(g *reason.Generation) error {
		if slices.Contains(keys, g.Key) { // else a stranger with the same hash
			c.found = append(c.found, *g)
		}
		return nil
	})
}

// rowScanner reads generations on one connection.
type rowScanner struct {
	originReader
	row [numColumns]driver.Value
}

func (r *rowScanner) prepare(ctx context.Context, conn driver.ConnPrepareContext) error {
	return r.originReader.prepare(ctx, conn)
}

func (r *rowScanner) close() error { return r.stmt.Close() }

// scan calls fn with each generation that a query finds.
func (r *rowScanner) scan(ctx context.Context, stmt driver.Stmt, args []driver.NamedValue, fn func(*reason.Generation) error) (err error) {
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		switch err := rows.Next(r.row[:]); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		g, id, err := generation(r.row[:])
		if err != nil {
			return err
		}
		o, err := r.origin(ctx, id)
		if err != nil {
			return fmt.Errorf("generation %s: %w", g.Key, err)
		}
		o.fill(&g)
		if err := fn(&g); err != nil {
			return err
		}
	}
}
