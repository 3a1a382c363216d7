// Package consent keeps what a user has agreed to that workspaces may name. A workspace and
// the configuration in it are data, perhaps a stranger's: what they say of servers, of the
// environment variables whose values go there as keys, of databases, folders and files is
// used only after the user has seen it and agreed, or has typed the same.
//
// Agreement is kept outside the workspace, in the user's own configuration folder, by the
// hash of what was agreed to: another address, or the same with another key, asks anew.
// It holds for whatever workspace names the same, but for permissions: these say what a
// workspace may do without saying to what, and hold for that workspace alone.
package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// What says what sort of thing a workspace asks for.
type What string

// The things that need consent.
const (
	Server     What = "server to send to"
	Database   What = "database to use"
	Read       What = "file or folder to read"
	Write      What = "file or folder to write"
	Permission What = "permission" // of one workspace
)

// Grant is one thing that a workspace asks for.
type Grant struct {
	What  What   `json:"what"`
	Value string `json:"value"` // in words that a person can judge, but for [Grant.Shown]; the hash is of it

	// Options name the options that it comes from; no part of what is agreed to.
	Options []string `json:"-"`
}

// Shown is the value as it is shown and noted: without passwords, and on one line, so that
// it cannot look like several.
func (g Grant) Shown() string { return secret.Line(g.Value) }

func (g Grant) String() string { return fmt.Sprintf("%s: %s", g.What, g.Shown()) }

// ServerGrant is consent to send texts, pictures and a key to a server. keyEnv names the
// environment variable whose value goes there; "" = no key.
func ServerGrant(url, keyEnv string, options ...string) Grant {
	url, _, _ = strings.Cut(url, "#")
	value := strings.TrimRight(strings.TrimSpace(url), "/")
	if keyEnv != "" {
		value += " with the key in " + keyEnv
	}
	return Grant{What: Server, Value: value, Options: options}
}

// DatabaseGrant is consent to use the database at an address. A password in it is no part of
// what is agreed to, shown or remembered.
func DatabaseGrant(address string, options ...string) Grant {
	return Grant{What: Database, Value: secret.Line(address), Options: options}
}

// PathGrant is consent to read or write a file or a folder: the one that path leads to now.
// Where a link leads elsewhere later, that is another grant.
func PathGrant(what What, path string, options ...string) Grant {
	return Grant{What: what, Value: settled(path), Options: options}
}

// settled returns the absolute path without links of a file or folder that may be absent.
func settled(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for at := abs; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == filepath.Dir(at) {
			return abs
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// hash identifies what the workspace in the folder ws asks for.
func (g Grant) hash(ws string) string {
	text := string(g.What) + "\x00" + g.Value
	if g.What == Permission {
		text += "\x00" + settled(ws)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Dir is the user's own configuration folder: the environment variable
// MLLMREC_CONFIG_DIR, or mllmrec in the folder that the system has for it.
func Dir() (string, error) {
	if dir := os.Getenv("MLLMREC_CONFIG_DIR"); dir != "" {
		return dir, nil
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", usererr.Wrap(fmt.Errorf("find your configuration folder: %w", err), "Set MLLMREC_CONFIG_DIR to a folder of yours.")
	}
	return filepath.Join(base, "mllmrec"), nil
}

const (
	fileName  = "consents.json"
	fileLimit = 16 << 20
)

// given is an agreement as it is stored.
type given struct {
	SHA256    string    `json:"sha256"` // decides
	What      What      `json:"what"`   // for people, as is what follows
	Value     string    `json:"value,omitempty"`
	Workspace string    `json:"workspace,omitempty"`
	Given     time.Time `json:"given"`
}

type stored struct {
	Format   int     `json:"format"`
	Consents []given `json:"consents"`
}

func read(dir string) (s stored, err error) {
	path := filepath.Join(dir, fileName)
	raw, err := plainfile.Read(path, fileLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return stored{Format: 1}, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err == nil && s.Format != 1 {
		err = fmt.Errorf("format %d, this program reads 1", s.Format)
	}
	if err != nil {
		return s, usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("what you have agreed to, %s, cannot be read: %w", path, err), "Remove the file and agree again.")
	}
	return s, nil
}

// Missing returns those of the grants, which the workspace in the folder ws asks for, that
// the user has not agreed to.
func Missing(ws string, grants ...Grant) ([]Grant, error) {
	if len(grants) == 0 {
		return nil, nil
	}
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	s, err := read(dir)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(grants), func(g Grant) bool {
		return slices.ContainsFunc(s.Consents, func(c given) bool { return c.SHA256 == g.hash(ws) })
	}), nil
}

// Give remembers that the user agreed to grants that the workspace in the folder ws named.
func Give(ws string, grants ...Grant) error {
	missing, err := Missing(ws, grants...)
	if err != nil || len(missing) == 0 {
		return err
	}
	return change(func(s *stored) {
		for _, g := range missing {
			s.Consents = append(s.Consents, given{SHA256: g.hash(ws), What: g.What, Value: g.Shown(), Workspace: settled(ws), Given: time.Now().UTC().Truncate(time.Second)})
		}
	})
}

// Revoke forgets the user's agreement to grants that the workspace in the folder ws names,
// and returns how many there were.
func Revoke(ws string, grants ...Grant) (n int, err error) {
	err = change(func(s *stored) {
		was := len(s.Consents)
		s.Consents = slices.DeleteFunc(s.Consents, func(c given) bool {
			return slices.ContainsFunc(grants, func(g Grant) bool { return g.hash(ws) == c.SHA256 })
		})
		n = was - len(s.Consents)
	})
	return n, err
}

// change updates the file under a lock, since several processes may.
func change(fn func(*stored)) error {
	dir, err := Dir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("remember what you agreed to: %w", err)
	}
	lock := flock.New(filepath.Join(dir, fileName+".lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("remember what you agreed to: %w", err)
	}
	defer lock.Unlock() //nolint:errcheck // the process ends soon
	s, err := read(dir)
	if err != nil {
		return err
	}
	fn(&s)
	err = atomicfile.WritePrivate(filepath.Join(dir, fileName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(s)
	})
	if err != nil {
		return fmt.Errorf("remember what you agreed to: %w", err)
	}
	return nil
}

// Gate stands where what a workspace names is about to be used.
type Gate struct {
	ws    string
	typed []Grant
	all   bool
}

// NewGate returns the gate before the workspace in a folder. It lets through what the user
// has agreed to.
func NewGate(ws string) *Gate { return &Gate{ws: ws} }

// Typed lets through what the user typed for this call.
func (g *Gate) Typed(grants ...Grant) { g.typed = append(g.typed, grants...) }

// TrustAll lets everything through: the program that opened the workspace says that it may
// name what it likes.
func (g *Gate) TrustAll() { g.all = true }

// Allow fails, naming all of it, where grants ask for what the user has not agreed to.
// where says what names them, such as a file.
func (g *Gate) Allow(where string, grants ...Grant) error {
	if g.all {
		return nil
	}
	asked := slices.DeleteFunc(slices.Clone(grants), func(a Grant) bool {
		return slices.ContainsFunc(g.typed, func(t Grant) bool { return t.hash(g.ws) == a.hash(g.ws) })
	})
	missing, err := Missing(g.ws, asked...)
	if err != nil || len(missing) == 0 {
		return err
	}
	return Refuse(where, g.ws, missing)
}

// Refuse is the error about grants that the user has not agreed to.
func Refuse(where, ws string, missing []Grant) error {
	var list []string
	for _, m := range missing {
		list = append(list, m.String())
	}
	return &usererr.Error{Kind: usererr.KindUntrusted, Workspace: ws,
		Err:  fmt.Errorf("%s names what you have not agreed to: %s", where, strings.Join(list, "; ")),
		Hint: "A workspace may be somebody else's: nothing was sent, read or written. Agree to it once, or give the same on the command line."}
}
