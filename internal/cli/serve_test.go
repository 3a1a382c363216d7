package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/client"
)

// said is what a command says while it runs.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// serving runs serve until the test ends and returns a client.
func serving(t *testing.T, key string, args ...string) (c *client.Client, stop func() int, out, wrong *said) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, wrong = new(said), new(said)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, append([]string{"serve", "--json"}, args...), out, wrong) }()
	code := -1
	stop = func() int {
		cancel()
		if code < 0 {
			code = <-ended
		}
		return code
	}
	t.Cleanup(func() { stop() })
	var up struct{ Address string }
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if json.Unmarshal([]byte(out.String()), &up) == nil {
			return client.New(up.Address, key), stop, out, wrong
		}
		select {
		case code = <-ended:
			t.Fatalf("serve ended with %d: %s%s", code, out, wrong)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("serve says nothing: %s%s", out, wrong)
		}
	}
}

// A workspace that was only imported is served within seconds; keys made meanwhile hold at once, and those revoked do not; a signal ends it well.
func TestServeFromAnImportAlone(t *testing.T) {
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	ws := importedShop(t)
	c, stop, _, wrong := serving(t, "", ws, "--addr", "127.0.0.1:0", "--stay")
	list, err := c.ForUser(t.Context(), "u1", 3)
	if err != nil || list.Model != quickModel || len(list.Items) == 0 {
		t.Fatalf("%v %+v", err, list)
	}
	var made struct{ Key, ID string }
	if err := json.Unmarshal([]byte(printedBy(t, "key", "add", ws, "--name", "app", "--role", "read", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	denied := func(c *client.Client) bool {
		_, err := c.ForUser(context.Background(), "u1", 3)
		var e *client.Error
		return errors.As(err, &e) && e.Status == http.StatusUnauthorized
	}
	wait(t, "the server asks for a key once there is one", func() bool { return denied(c) })
	base := c.Address()
	keyed := client.New(base, made.Key)
	if _, err := keyed.ForUser(t.Context(), "u1", 3); err != nil {
		t.Errorf("with the key: %v", err)
	}
	if _, err := keyed.Feedback(t.Context(), client.Event{User: "u1", Item: list.Items[0].Item, Type: "like"}); err == nil {
		t.Error("a key for reading posts feedback")
	}
	if said := printedBy(t, "key", "list", ws); !strings.Contains(said, made.ID) || strings.Contains(said, made.Key) {
		t.Errorf("%s", said)
	}
	ok(t, "key", "revoke", ws, made.ID)
	wait(t, "a revoked key is refused", func() bool { return denied(keyed) })
	if code := stop(); code != exitOK {
		t.Errorf("stopped, it exits with %d: %s", code, wrong)
	}
	for _, args := range [][]string{{"--addr", ":0"}, {"--addr", "0.0.0.0:0"}} { // all keys are revoked
		var out, said said
		if code := run(t.Context(), append([]string{"serve", ws}, args...), &out, &said); code != exitUser || !strings.Contains(said.String(), "other machines can reach") {
			t.Errorf("%v: exit %d, %s", args, code, said.String())
		}
	}
}

// Where there was no run, the better model is made beside and takes the quick one's place; the next server begins with it.
func TestServeSwapsToTheBetterModel(t *testing.T) {
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	ws := importedShop(t)
	c, stop, _, wrong := serving(t, "", ws, "--addr", "127.0.0.1:0")
	served := func() (model string) {
		list, err := c.ForUser(t.Context(), "u1", 3)
		if err != nil {
			t.Fatal(err)
		}
		return list.Model
	}
	wait(t, "the server swaps to "+servedModel+": "+wrong.String(), func() bool { return served() == servedModel })
	stop()
	if c, _, _, _ = serving(t, "", ws, "--addr", "127.0.0.1:0"); served() != servedModel {
		t.Errorf("the next server begins with %s", served())
	}
}

// Arms get their shares, say so in the answer's header, and ab refuses to conclude from few.
func TestServeArms(t *testing.T) {
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	ws := importedShop(t)
	ok(t, "run", ws, "--model", "bm25", "-q")
	ok(t, "run", ws, "--model", "itemknn", "-q")
	var runs struct {
		Runs []struct{ Run, Model string }
	}
	if err := json.Unmarshal([]byte(printedBy(t, "status", ws, "--json")), &runs); err != nil || len(runs.Runs) != 2 {
		t.Fatalf("%v %+v", err, runs)
	}
	one, other := runs.Runs[0].Run, runs.Runs[1].Run
	c, stop, _, _ := serving(t, "", ws, "--addr", "127.0.0.1:0", "--arm", "base="+one+":50", "--arm", "new="+other+":50")
	met := map[string]string{}
	for n := 1; n <= 12; n++ {
		user := fmt.Sprint("u", n)
		list, err := c.ForUser(t.Context(), user, 2)
		if err != nil {
			t.Fatal(err)
		}
		met[list.Arm] = list.Run
		resp, err := http.Get(c.Address() + "/v1/users/" + user + "/recommendations") //nolint:noctx // a test
		if err != nil || resp.Header.Get("MLLMRec-Arm") != list.Arm {
			t.Errorf("%v, header %q, arm %q", err, resp.Header.Get("MLLMRec-Arm"), list.Arm)
		}
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // read to its end
		resp.Body.Close()
		if _, err := c.Feedback(t.Context(), client.Event{User: user, Item: list.Items[0].Item, Type: "purchase"}); err != nil {
			t.Fatal(err)
		}
	}
	if met["base"] != one || met["new"] != other {
		t.Errorf("%v", met)
	}
	stop()
	if said := printedBy(t, "ab", ws, "--base", "base"); !strings.Contains(said, "too few") || strings.Contains(said, "not told apart") {
		t.Errorf("%s", said)
	}
	for _, bad := range [][]string{{"--arm", "x"}, {"--arm", "a=" + one + ":50"}, {"--arm", "a=none:100"}, {"--arm", "a=" + one + ":100", "--run", one}} {
		var out, said said
		if code := run(t.Context(), append([]string{"serve", ws, "--addr", "127.0.0.1:none"}, bad...), &out, &said); code != exitUser {
			t.Errorf("%v: exit %d, %s", bad, code, said.String())
		}
	}
}

// printedBy is what a command prints that ends well.
func printedBy(t *testing.T, args ...string) string {
	t.Helper()
	out, _ := ok(t, args...)
	return out
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// importedShop imports a small table of clicks and trains nothing.
func importedShop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var clicks strings.Builder
	clicks.WriteString("user,item,time\n")
	for u := range 40 {
		for n := range 6 {
			fmt.Fprintf(&clicks, "u%d,i%d,%d\n", u+1, (u%4)*8+(u/4+n)%8, 100*u+n)
		}
	}
	file, ws := filepath.Join(dir, "clicks.csv"), filepath.Join(dir, "shop.ws")
	if err := os.WriteFile(file, []byte(clicks.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ok(t, "import", "tables", "--interactions", file, "--out", ws, "-q")
	return ws
}
