package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// What the database says is said in words: whether it may pass, and what to do.
func TestExplain(t *testing.T) {
	for code, passes := range map[string]bool{
		"53100": true, // disk full
		"53300": true, // too many connections
		"57P03": true, // starting
		"08006": true, // connection lost
		"40P01": true, // deadlock
		"42501": false,
	} {
		err := explain("write", fmt.Errorf("deep: %w", &pgconn.PgError{Code: code, Message: "m"}))
		if hint, ok := usererr.Hint(err); live.Unavailable(err) != passes || !ok || hint == "" {
			t.Errorf("%s: may pass %v, hint %q: %v", code, live.Unavailable(err), hint, err)
		}
	}
	bug := errors.New("a bug")
	if err := explain("write", bug); live.Unavailable(err) || !errors.Is(err, bug) {
		t.Errorf("%v", err)
	}
	if explain("write", nil) != nil {
		t.Error("no error is an error")
	}
}
