package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// The statements of a Put. A replaced row keeps its id.
const (
	findRow      = "SELECT a.id, o.status FROM answers a JOIN origins o ON o.id = a.origin WHERE a.hash = ? AND a.key = ?"
	putRow       = "INSERT OR REPLACE INTO answers (" + columns + ", hash, id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
	putOrigin    = "INSERT INTO origins (" + originColumns + ") VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
	findOriginID = "SELECT id FROM origins WHERE (" + originColumns + ") = (?,?,?,?,?,?,?,?,?)"
)

// writer is the connection that stores generations, one transaction at a time, with its
// prepared statements. It is opened by the first Put, since most programs only read.
type writer struct {
	db *sql.DB

	mu      sync.Mutex
	conn    *sql.Conn
	stmts   struct{ findRow, putRow, putOrigin, findOriginID driver.Stmt }
	origins map[origin]int64 // ids of origins, as stored or found on this connection
	args    [numColumns + 2]driver.NamedValue
}

// put stores generations in one transaction, which is on disk when it returns.
func (w *writer) put(ctx context.Context, generations []texts.Generation) error {
	for i := range generations {
		if err := check(&generations[i]); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.open(ctx); err != nil {
		return err
	}
	err := w.conn.Raw(func(driverConn any) error {
		tx, err := driverConn.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{}) // immediate: holds the write lock
		if err != nil {
			return err
		}
		if err := w.insert(ctx, generations); err != nil {
			tx.Rollback() //nolint:errcheck // after some failures SQLite has rolled back already; the connection is closed below
			return err
		}
		return tx.Commit()
	})
	if err != nil {
		w.drop() //nolint:errcheck // a failed transaction must not affect the next
	}
	return err
}

func (w *writer) insert(ctx context.Context, generations []texts.Generation) error {
	// For a context that can end, the driver starts a goroutine for each statement, which takes
	// longer than the statement.
	unwatched := context.WithoutCancel(ctx)
	for i := range generations {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.insertOne(unwatched, &generations[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// insertOne stores g unless its key has an answer already.
func (w *writer) insertOne(ctx context.Context, g *texts.Generation) error {
	hash := keyHash(g.Key)
	var there [2]driver.Value // id, status
	found, err := queryOne(ctx, w.stmts.findRow, there[:], hash, g.Key)
	if err != nil || found && there[1] == texts.StatusOK {
		return err
	}
	from, err := w.originID(ctx, originOf(g))
	if err != nil {
		return err
	}
	for i, v := range values(g, from) {
		w.args[i].Value = v
	}
	w.args[numColumns].Value, w.args[numColumns+1].Value = hash, there[0] // a nil id makes a new row
	_, err = w.stmts.putRow.(driver.StmtExecContext).ExecContext(ctx, w.args[:])
	return err
}

// originID returns the id of an origin, which it stores if it is new.
func (w *writer) originID(ctx context.Context, o origin) (int64, error) {
	if id, known := w.origins[o]; known {
		return id, nil
	}
	args := o.values()
	if _, err := w.stmts.putOrigin.(driver.StmtExecContext).ExecContext(ctx, named(args)); err != nil {
		return 0, err
	}
	var row [1]driver.Value
	found, err := queryOne(ctx, w.stmts.findOriginID, row[:], args...)
	if err != nil {
		return 0, err
	}
	id, ok := row[0].(int64)
	if !found || !ok {
		return 0, fmt.Errorf("the origin of a generation by %s was not stored", o.model)
	}
	if w.origins == nil || len(w.origins) >= maxOrigins {
		w.origins = map[origin]int64{}
	}
	w.origins[o] = id
	return id, nil
}

// open opens the connection unless it is open. mu is held.
func (w *writer) open(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	err = conn.Raw(func(driverConn any) error {
		return w.prepare(ctx, driverConn.(driver.ConnPrepareContext))
	})
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	w.conn = conn
	return nil
}

func (w *writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drop()
}

func (w *writer) prepare(ctx context.Context, conn driver.ConnPrepareContext) (err error) {
	for i := range w.args {
		w.args[i].Ordinal = i + 1
	}
	for _, s := range []struct {
		stmt *driver.Stmt
		text string
	}{{&w.stmts.findRow, findRow}, {&w.stmts.putRow, putRow}, {&w.stmts.putOrigin, putOrigin}, {&w.stmts.findOriginID, findOriginID}} {
		if *s.stmt, err = conn.PrepareContext(ctx, s.text); err != nil {
			return err
		}
	}
	return nil
}

// drop closes the connection if it is open. Conn.Close would put it back into the pool. mu
// is held.
func (w *writer) drop() error {
	if w.conn == nil {
		return nil
	}
	var err error
	bad := w.conn.Raw(func(any) error {
		err = errors.Join(w.stmts.findRow.Close(), w.stmts.putRow.Close(), w.stmts.putOrigin.Close(), w.stmts.findOriginID.Close())
		return driver.ErrBadConn
	})
	w.conn, w.origins = nil, nil
	if !errors.Is(bad, driver.ErrBadConn) {
		err = errors.Join(err, bad)
	}
	return err
}

func check(g *texts.Generation) error {
	if g.Key == "" || g.Stage == "" {
		return fmt.Errorf("a generation of %q without key or stage", g.Subject)
	}
	if g.Status != texts.StatusOK && g.Status != texts.StatusQuarantined {
		return fmt.Errorf("generation %s: unknown status %q", g.Key, g.Status)
	}
	return nil
}
