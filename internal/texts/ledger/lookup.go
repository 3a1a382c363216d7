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

// lookupKeys is the number of keys in the query for many keys, which each connection prepares
// once. For fewer keys the last one is repeated, which costs less than preparing a query of
// another length.
const lookupKeys = 64

// mapSize is the number of bytes of the file that lookups read through a memory map, nearly
// the most that SQLite allows. Mapped pages are read without a system call or a copy.
const mapSize = 2<<30 - 1<<16

// readers are the connections that look up keys. They are opened when needed, and keep
// their prepared statements.
type readers struct {
	db      *sql.DB
	origins *originCache
	free    chan *reader // a nil element is a connection that is not open yet
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

// lookUp returns what find adds for keys. Several connections work on parts of keys.
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

// use calls f with a free connection.
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

// reader is one connection with its prepared statements. It calls the driver directly,
// because database/sql spends more time on the columns of a row than finding it takes.
type reader struct {
	conn         *sql.Conn
	whole, brief keyQuery
	args         [lookupKeys]driver.NamedValue
	unusable     bool
	rowScanner
}

// keyQuery is one query in two forms: for one key, and for lookupKeys keys.
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

// guarded calls f, which may use the connection. A read error of the disk is a fault of the
// process where the file is memory-mapped; guarded turns that fault into an error. SQLite
// may have been interrupted anywhere then, so the connection is not used again, and not
// even closed.
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

// generations adds the generations stored under keys, at most lookupKeys of them.
func (c *reader) generations(keys []string, add func(string, texts.Generation)) error {
	return c.find(&c.whole, numColumns, keys, func(ctx context.Context, row []driver.Value) error {
		g, err := c.generation(ctx, row)
		if err == nil && slices.Contains(keys, g.Key) { // another key may have the same hash
			add(g.Key, g)
		}
		return err
	})
}

// statuses adds the statuses of the generations stored under keys.
func (c *reader) statuses(keys []string, add func(string, texts.AnswerStatus)) error {
	return c.find(&c.brief, numBriefColumns, keys, func(ctx context.Context, row []driver.Value) error {
		key, s, err := c.answerStatus(ctx, row)
		if err == nil && slices.Contains(keys, key) {
			add(key, s)
		}
		return err
	})
}

// find calls fn with the rows of keys, at most lookupKeys of them. It passes no context that
// can end: the query does not wait for locks and takes little time, while the driver would
// start a goroutine to watch the context.
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

// generation makes a generation of a row and its origin.
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
	g.Redact()
	return g, nil
}

// answerStatus makes the status of a generation of a brief row and its origin.
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
