package pg

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// How long an operation is retried while the database cannot be reached. Answers that are to
// be stored have been paid for, so writes are retried for longer than reads.
const (
	RetryRead  = 2 * time.Minute
	RetryWrite = 10 * time.Minute
)

// tryTimeout bounds one try, so that a connection that hangs does not block the caller.
const tryTimeout = time.Minute

const (
	firstPause = 50 * time.Millisecond
	maxPause   = 3 * time.Second
)

// Retry calls f, which must be idempotent, again while it fails because the database
// restarts, cannot be reached or refuses for the moment, for at most so long and until ctx
// ends.
func Retry(ctx context.Context, atMost time.Duration, f func(ctx context.Context) error) error {
	return retry(ctx, atMost, Transient, f)
}

func retry(ctx context.Context, atMost time.Duration, again func(error) bool, f func(ctx context.Context) error) error {
	deadline := time.Now().Add(atMost)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if err := ctx.Err(); err != nil {
			return err
		}
		try, cancel := context.WithTimeout(ctx, tryTimeout)
		err := f(try)
		timedOut := try.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || ctx.Err() != nil || !(timedOut || again(err)) || time.Now().Add(pause).After(deadline) {
			return err
		}
		t := time.NewTimer(pause/2 + rand.N(pause)) // random, but no result depends on it
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// Transient reports whether the same operation may succeed later.
func Transient(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "57P01", "57P02", "57P03", // shutting down, crashed, starting
			"53300",          // too many connections
			"40001", "40P01", // serialization, deadlock
			"25006": // read-only: a standby that is being promoted
			return true
		}
		return strings.HasPrefix(e.Code, "08") // connection
	}
	var c *pgconn.ConnectError
	var n net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &c), errors.As(err, &n), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}

func startingUp(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "57P03"
}
