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

	"github.com/mllmrec/mllmrec/internal/texts"
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

// lookUp returns what find adds for keys, several connections at work on parts of them.
func lookUp[T any](ctx context.Context, r *readers, keys []string, find func(c *reader, keys []string, add func(string, T)) error) (map[string]T, error) {
	found := make(map[string]T, len(keys))
	var mu sync.Mutex
	add := func(key string, v T) {
		mu.Lock()
		defer mu.Unlock()
		found[key] = v
	}
	part := func(keys []string) error {
		return r.use(ctx, func(c *reader) error {
			for ; len(keys) > lookupKeys; keys = keys[lookupKeys:] {
				if err := errors.Join(ctx.Err(), find(c, keys[:lookupKeys], add)); err != nil {
					return err
				}
			}
			return errors.Join(ctx.Err(), find(c, keys, add))
		})
	}
	parts := max(1, min(cap(r.free), len(keys)/lookupKeys))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for i := 1; i < parts; i++ {
		wg.Go(func() { errs[i] = part(keys[i*len(keys)/parts : (i+1)*len(keys)/parts]) })
	}
	errs[0] = part(keys[:len(keys)/parts])
	wg.Wait()
	return found, errors.Join(errs...)
}

// use calls f with a connection that is free.
func (r *readers) use(ctx context.Context, f func(*reader) error) error {
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
	err := c.guarded(func() error { return f(c) })
	if c.unusable {
		c = nil
	}
	return err
}

func (r *readers) open(ctx context.Context) (*reader, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &reader{conn: conn}
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
		if !c.unusable {
			errs = append(errs, c.close())
		}
	}
	r.all.open = nil
	return errors.Join(errs...)
}

// reader is one connection with its statements. It speaks to the driver itself: what
// database/sql does for each column of each row takes longer than to find the row.
type reader struct {
	conn         *sql.Conn
	whole, brief keyQuery
	args         [lookupKeys]driver.NamedValue
	unusable     bool
	rowScanner
}

// keyQuery is a query for one key, and for many.
type keyQuery struct{ one, many driver.Stmt }

func (q *keyQuery) prepare(ctx context.Context, conn driver.ConnPrepareContext, columns string) (err error) {
	query := "SELECT " + columns + " FROM answers WHERE hash IN (?"
	if q.one, err = conn.PrepareContext(ctx, query+")"); err != nil {
		return err
	}
	q.many, err = conn.PrepareContext(ctx, query+strings.Repeat(",?", lookupKeys-1)+")")
	return err
}

func (q *keyQuery) close() error { return errors.Join(q.one.Close(), q.many.Close()) }

func (c *reader) prepare(driverConn any) error {
	ctx := context.Background()
	conn := driverConn.(driver.ConnPrepareContext)
	for i := range c.args {
		c.args[i].Ordinal = i + 1
	}
	if err := c.whole.prepare(ctx, conn, columns); err != nil {
		return err
	}
	if err := c.brief.prepare(ctx, conn, briefColumns); err != nil {
		return err
	}
	return c.rowScanner.prepare(ctx, conn)
}

func (c *reader) close() error {
	err := c.conn.Raw(func(any) error { return errors.Join(c.whole.close(), c.brief.close(), c.rowScanner.close()) })
	return errors.Join(err, c.conn.Close())
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
				c.unusable = true
				err = fmt.Errorf("a part of the file could not be read: %w", p)
			default:
				panic(p)
			}
		}()
		return f()
	})
}

// generations adds what is stored under at most lookupKeys keys.
func (c *reader) generations(keys []string, add func(string, texts.Generation)) error {
	return c.find(&c.whole, numColumns, keys, func(ctx context.Context, row []driver.Value) error {
		g, err := c.generation(ctx, row)
		if err == nil && slices.Contains(keys, g.Key) { // else a stranger with the same hash
			add(g.Key, g)
		}
		return err
	})
}

// standings is generations without most of them.
func (c *reader) statuses(keys []string, add func(string, texts.AnswerStatus)) error {
	return c.find(&c.brief, numBriefColumns, keys, func(ctx context.Context, row []driver.Value) error {
		key, s, err := c.answerStatus(ctx, row)
		if err == nil && slices.Contains(keys, key) {
			add(key, s)
		}
		return err
	})
}

// find calls fn with the rows of at most lookupKeys keys. None waits for a lock, and all
// are found soon, so that no context is watched, which the driver does by a goroutine.
func (c *reader) find(q *keyQuery, columns int, keys []string, fn func(context.Context, []driver.Value) error) error {
	if len(keys) == 0 {
		return nil
	}
	stmt, args := q.many, c.args[:]
	if len(keys) == 1 {
		stmt, args = q.one, c.args[:1]
	}
	for i := range args {
		args[i].Value = keyHash(keys[min(i, len(keys)-1)])
	}
	return c.scan(context.Background(), stmt, columns, args, fn)
}

// rowScanner reads generations on one connection.
type rowScanner struct {
	originReader
	row [numColumns]driver.Value
}

func (r *rowScanner) close() error { return r.stmt.Close() }

// scan calls fn with each row that a query finds.
func (r *rowScanner) scan(ctx context.Context, stmt driver.Stmt, columns int, args []driver.NamedValue, fn func(context.Context, []driver.Value) error) (err error) {
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		switch err := rows.Next(r.row[:columns]); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := fn(ctx, r.row[:columns]); err != nil {
			return err
		}
	}
}

// generation is what a row says, together with the row of its origin.
func (r *rowScanner) generation(ctx context.Context, row []driver.Value) (texts.Generation, error) {
	g, id, err := generation(row)
	if err != nil {
		return g, err
	}
	o, err := r.origin(ctx, id)
	if err != nil {
		return g, fmt.Errorf("generation %s: %w", g.Key, err)
	}
	o.fill(&g)
	return g, nil
}

// standing is generation for a brief row.
func (r *rowScanner) answerStatus(ctx context.Context, row []driver.Value) (key string, s texts.AnswerStatus, err error) {
	key, s, id, err := answerStatus(row)
	if err != nil {
		return key, s, err
	}
	o, err := r.origin(ctx, id)
	if err != nil {
		return key, s, fmt.Errorf("generation %s: %w", key, err)
	}
	s.Status, s.Class = o.status, o.class
	return key, s, nil
}
