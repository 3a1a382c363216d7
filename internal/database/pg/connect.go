// Package pg connects to PostgreSQL and brings its tables up to date, for all that this program
// keeps there, in the schema mllmrec. It retries what fails while a database restarts.
package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// minConns is the least upper limit of connections in a pool, unless the address sets one:
// one lists answers, one writes, several look up keys.
const minConns = 8

// Connect opens a pool of connections to the database at a postgres:// address and
// checks that it answers. The password may be left out of the address and come from
// PGPASSWORD or ~/.pgpass. No error contains it.
func Connect(ctx context.Context, address string) (*pgxpool.Pool, error) {
	cfg, err := parse(address)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", databaseName(cfg), err)
	}
	starting, cancel := context.WithTimeout(ctx, startupWait)
	defer cancel()
	err = retry(starting, startupWait, startingUp, func(ctx context.Context) error { return pool.Ping(ctx) })
	if err != nil {
		pool.Close()
		return nil, explainConnect(databaseName(cfg), err)
	}
	return pool, nil
}

// startupWait is how long Connect waits for a server that reports that it is starting.
const startupWait = 30 * time.Second

// parse reads an address. It does not pass on the errors of the parsers it calls: they quote
// parts of the address, which may be parts of a password.
func parse(address string) (*pgxpool.Config, error) {
	const hint = "Use postgres://user@host:5432/database, with the password in PGPASSWORD or ~/.pgpass; in the address, special characters need %-escapes."
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, usererr.New(hint, "the address of the store is not a postgres:// address")
	}
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, usererr.New(hint, "the address of the store has a setting that cannot be read")
	}
	secret.Register(cfg.ConnConfig.Password)
	if strings.Contains(cfg.ConnConfig.Host+cfg.ConnConfig.Database, "@") { // where the rest of a password stands that was not escaped
		return nil, usererr.New(hint, "the address of the store has an @ that belongs to no host")
	}
	if !u.Query().Has("pool_max_conns") {
		cfg.MaxConns = max(cfg.MaxConns, minConns)
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "mllmrec"
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	// Keep-alive notices within a minute that a server is gone without closing the connection.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 4}}
	cfg.ConnConfig.DialFunc = dialer.DialContext
	return cfg, nil
}

// databaseName names a database without credentials.
func databaseName(cfg *pgxpool.Config) string {
	c := cfg.ConnConfig
	if strings.HasPrefix(c.Host, "/") {
		return fmt.Sprintf("PostgreSQL database %q at %s", c.Database, c.Host)
	}
	return fmt.Sprintf("PostgreSQL database %q at %s", c.Database, net.JoinHostPort(c.Host, fmt.Sprint(c.Port)))
}

func explainConnect(place string, err error) error {
	err = fmt.Errorf("connect to %s: %w", place, err)
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "28P01", "28000":
			return usererr.Wrap(err, "Check the user, and the password in PGPASSWORD, ~/.pgpass or the address.")
		case "3D000":
			return usererr.Wrap(err, "Create the database first, for example with PostgreSQL's createdb.")
		}
		return err
	}
	var c *pgconn.ConnectError
	if errors.As(err, &c) {
		return usererr.Wrap(err, "Check that the server runs and that host and port are right.")
	}
	return err
}
