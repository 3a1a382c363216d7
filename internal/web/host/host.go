// Package host listens for HTTP requests until it is told to stop, and then lets those under way end.
package host

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Site is something to serve at an address.
type Site struct {
	Addr      string // host:port
	Handler   http.Handler
	Cert, Key string // files of TLS; both or neither
}

// The limits of a connection. A handler that needs longer says so through http.ResponseController.
const (
	headerTime = 5 * time.Second
	readTime   = 30 * time.Second
	writeTime  = 60 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 32 << 10
)

// Grace is how long requests under way may take to end.
const Grace = 20 * time.Second

// Listen opens the addresses: what is wrong with one is found before anything is served.
func Listen(sites []Site) ([]net.Listener, error) {
	var all []net.Listener
	for _, s := range sites {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.Addr)
		if err != nil {
			for _, open := range all {
				open.Close() //nolint:errcheck // nothing came of it
			}
			return nil, usererr.Wrap(fmt.Errorf("listen: %w", err), "Give another address, such as 127.0.0.1:8081, or stop the program that has it.")
		}
		all = append(all, l)
	}
	return all, nil
}

// Serve serves until ctx ends, and then waits for the requests under way, for [Grace] at most.
func Serve(ctx context.Context, sites []Site, listeners []net.Listener, lg *slog.Logger) error {
	failed := make(chan error, len(sites))
	var servers []*http.Server
	for n, s := range sites {
		server := &http.Server{Handler: s.Handler, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
			MaxHeaderBytes: maxHeader, ErrorLog: log.New(lines{lg}, "", 0)}
		servers = append(servers, server)
		go func() {
			if s.Cert != "" {
				failed <- server.ServeTLS(listeners[n], s.Cert, s.Key)
			} else {
				failed <- server.Serve(listeners[n])
			}
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	for _, server := range servers {
		if e := server.Shutdown(rest); e != nil {
			server.Close() //nolint:errcheck // the connections that are left
			err = errors.Join(err, fmt.Errorf("requests did not end within %s: %w", Grace, e))
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// lines writes what the standard library's server says of connections to the log.
type lines struct{ log *slog.Logger }

func (l lines) Write(p []byte) (int, error) {
	l.log.Debug("connection", "message", string(p))
	return len(p), nil
}

// Loopback reports whether only this machine reaches an address.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
