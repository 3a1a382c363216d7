// Package pgtest gives tests a PostgreSQL server of their own, to restart and to kill.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Where tests look for a server. MLLMREC_TEST_POSTGRES is the address of a running one,
// whose user may create databases; MLLMREC_PG_BIN the folder with initdb and pg_ctl.
const (
	EnvAddress = "MLLMREC_TEST_POSTGRES"
	EnvBin     = "MLLMREC_PG_BIN"
)

// Server is a running PostgreSQL server.
type Server struct {
	address string // of the maintenance database
	bin     string // empty for a server that is not ours
	data    string
	port    int
	as      *syscall.SysProcAttr // whom it runs as; nil: as ourselves
	socket  string
}

// Start returns the server named by MLLMREC_TEST_POSTGRES or starts one in a temporary
// folder, which the test's end stops. Without either the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	if a := os.Getenv(EnvAddress); a != "" {
		return &Server{address: a}
	}
	return StartOwn(t)
}

// StartOwn starts a server that may be restarted, whatever MLLMREC_TEST_POSTGRES says.
func StartOwn(t testing.TB) *Server {
	t.Helper()
	bin := findBin()
	if bin == "" {
		t.Skipf("no PostgreSQL: neither %s nor initdb in %s, /usr/lib/postgresql/*/bin or the path", EnvAddress, EnvBin)
	}
	s := &Server{bin: bin}
	dir, err := os.MkdirTemp("", "mllmrec-pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if s.as, err = unprivileged(dir); err != nil {
		t.Skipf("no PostgreSQL: this is root, and the server cannot be run as somebody else: %v", err)
	}
	s.data, s.socket, s.port = filepath.Join(dir, "data"), dir, freePort(t)
	s.run(t, "initdb", "-D", s.data, "-U", "mllmrec", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	t.Cleanup(func() {
		if out, err := s.command("pg_ctl", "-D", s.data, "-m", "immediate", "-w", "stop").CombinedOutput(); err != nil {
			t.Logf("stop PostgreSQL: %v\n%s", err, out)
		}
	})
	s.control(t, "start")
	s.address = fmt.Sprintf("postgres://mllmrec:s3cret-word@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	return s
}

func findBin() string {
	dirs := []string{os.Getenv(EnvBin)}
	if dirs[0] == "" {
		dirs, _ = filepath.Glob("/usr/lib/postgresql/*/bin")
		slices.Sort(dirs)
		slices.Reverse(dirs)
		if p, err := exec.LookPath("initdb"); err == nil {
			dirs = append(dirs, filepath.Dir(p))
		}
	}
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "initdb")); err == nil {
			return d
		}
	}
	return ""
}

func freePort(t testing.TB) int {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), args...)
	cmd.Dir = s.socket
	cmd.SysProcAttr = s.as
	return cmd
}

func (s *Server) run(t testing.TB, name string, args ...string) {
	t.Helper()
	// Output goes to a file: the server would keep a pipe open.
	log := filepath.Join(s.socket, name+".log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := s.command(name, args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		out, _ := os.ReadFile(log)
		server, _ := os.ReadFile(filepath.Join(s.socket, "server.log"))
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, server)
	}
}

func (s *Server) control(t testing.TB, action string) {
	t.Helper()
	// Commits stay synchronous but need not reach a real disk: the machine does not crash.
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c fsync=off -c shared_buffers=32MB -c max_connections=60", s.port, s.socket)
	s.run(t, "pg_ctl", "-D", s.data, "-l", filepath.Join(s.socket, "server.log"), "-o", options, "-m", "fast", "-w", "-t", "60", action)
}

// Restart stops the server at once, breaking every connection, and starts it again.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if s.bin == "" {
		t.Fatal("a server that is not the test's own is not restarted")
	}
	s.control(t, "restart")
}

// Stop and Resume are the halves of Restart.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.control(t, "stop") }

// Resume starts a stopped server.
func (s *Server) Resume(t testing.TB) { t.Helper(); s.control(t, "start") }

var databases atomic.Int64

// Database makes an empty database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	name := fmt.Sprintf("mllmrec_test_%d_%d", os.Getpid(), databases.Add(1))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	if s.bin == "" { // ours goes as a whole
		t.Cleanup(func() { s.drop(t, name) })
	}
	u, err := url.Parse(s.address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func (s *Server) drop(t testing.TB, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.address)
	if err == nil {
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
	}
	if err != nil {
		t.Logf("drop database %s: %v", name, err)
	}
}
