package mllm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/mllm/openai"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const secret = "sk-test-Zq9/7+x=\"y"

// dialects builds each client over a server; the suite below runs over all of them.
var dialects = map[string]func(url string, key mllm.Key) (mllm.Client, error){
	"ollama": func(url string, key mllm.Key) (mllm.Client, error) {
		return ollama.New(ollama.Config{BaseURL: url, Key: key, Timeout: 30 * time.Second})
	},
	"openai": func(url string, key mllm.Key) (mllm.Client, error) {
		return openai.New(openai.Config{BaseURL: url + "/v1/", Key: key, Timeout: 30 * time.Second})
	},
}

func eachDialect(t *testing.T, run func(t *testing.T, build func(url string, key mllm.Key) mllm.Client)) {
	for name, build := range dialects {
		t.Run(name, func(t *testing.T) {
			run(t, func(url string, key mllm.Key) mllm.Client {
				t.Helper()
				c, err := build(url, key)
				if err != nil {
					t.Fatal(err)
				}
				return c
			})
		})
	}
}

func question(i int) mllm.Request {
	return mllm.Request{
		Model: "gemma3:27b", System: "You describe products.", Temperature: 0.5, Seed: int64(i), MaxTokens: 200,
		Prompt: fmt.Sprintf("Describe product %d. %s", i, strings.Repeat("It is sold in a small box. ", 10)),
		Images: []mllm.Image{{Data: []byte{0xff, 0xd8, 0xff, byte(i)}, MIME: "image/jpeg"}},
	}
}

func TestClientsSendWhatIsAskedAndReadWhatComes(t *testing.T) {
	eachDialect(t, func(t *testing.T, build func(string, mllm.Key) mllm.Client) {
		srv := mllmtest.New(t, mllmtest.Options{})
		client := build(srv.URL, mllm.Key{})
		want := question(3)
		resp, err := client.Generate(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		got := srv.Requests()[0]
		if got.System != want.System || got.Prompt != want.Prompt || got.Seed != 3 || got.Temperature != 0.5 || got.MaxTokens != 200 ||
			len(got.Images) != 1 || !bytes.Equal(got.Images[0], want.Images[0].Data) {
			t.Errorf("the server understood %+v", got)
		}
		if resp.Text != mllmtest.Honest(got) || resp.FinishReason != "stop" || resp.Model != "gemma3:27b" || resp.PromptTokens == 0 ||
			resp.AnswerTokens == 0 || resp.Endpoint != srv.URL || resp.Attempts != 1 || resp.Seconds <= 0 {
			t.Errorf("got response %+v", resp)
		}
		info, err := client.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := info.Find("gemma3:27b"); !ok || m.ContextLength != 131072 {
			t.Errorf("Describe found %+v", info)
		}
	})
}

func TestClientsClassifyEveryFault(t *testing.T) {
	eachDialect(t, func(t *testing.T, build func(string, mllm.Key) mllm.Client) {
		for _, fault := range mllmtest.Faults() {
			t.Run(string(fault), func(t *testing.T) {
				srv := mllmtest.New(t, mllmtest.Options{Script: []mllmtest.Fault{fault}, RetryAfter: "7"})
				client := build(srv.URL, mllm.Key{})
				r := question(1)
				if fault == mllmtest.Hang || fault == mllmtest.SlowDrip {
					r.Timeout = 200 * time.Millisecond
				}
				start := time.Now()
				resp, err := client.Generate(t.Context(), r)
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
				if got := mllm.ClassOf(err); got != fault.Class() {
					t.Fatalf("class %q, want %q: %v", got, fault.Class(), err)
				}
				if fault.Class() == "" {
					return
				}
				var e *mllm.Error
				if !errors.As(err, &e) || e.Endpoint != srv.URL || e.Model != "gemma3:27b" || !strings.Contains(err.Error(), srv.URL) {
					t.Errorf("the error does not say where: %v", err)
				}
				if wait := fault == mllmtest.RateLimit; e.HasRetryAfter != wait || (wait && e.RetryAfter != 7*time.Second) {
					t.Errorf("Retry-After %v %v", e.HasRetryAfter, e.RetryAfter)
				}
				if fault == mllmtest.Empty && resp.PromptTokens == 0 {
					t.Errorf("the tokens of a useless answer are not reported: %+v", resp)
				}
				if srv.Total() != 1 {
					t.Errorf("a client must not retry by itself: %d requests", srv.Total())
				}
			})
		}
	})
}

func TestClientsNeverShowTheKey(t *testing.T) {
	t.Setenv("MLLM_TEST_KEY", "  "+secret+"\n")
	key, err := mllm.KeyFromEnv("MLLM_TEST_KEY")
	if err != nil {
		t.Fatal(err)
	}
	eachDialect(t, func(t *testing.T, build func(string, mllm.Key) mllm.Client) {
		srv := mllmtest.New(t, mllmtest.Options{Key: secret})
		client := build(srv.URL, key)
		if _, err := client.Generate(t.Context(), question(0)); err != nil {
			t.Fatalf("the key was not sent: %v", err)
		}
		var shown strings.Builder
		log := slog.New(slog.NewJSONHandler(&shown, nil))
		log.Info("x", "key", key, "client", client)
		fmt.Fprintf(&shown, "%v %+v %#v %s %q %x %v", key, key, key, key, key, key, client)
		for _, fault := range mllmtest.Faults() {
			srv := mllmtest.New(t, mllmtest.Options{Script: []mllmtest.Fault{fault}})
			r := question(1)
			r.Timeout = 500 * time.Millisecond
			_, err := build(srv.URL, key).Generate(t.Context(), r)
			fmt.Fprintf(&shown, "%v %+v\n", err, err)
			log.Info("failed", "err", err)
		}
		// A key at the very place where a message is shortened must not show its first half.
		for pad := 380; pad < 402; pad++ {
			long := mllmtest.New(t, mllmtest.Options{})
			long.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, strings.Repeat("x", pad), secret)
			})
			_, err := build(long.URL, key).Generate(t.Context(), question(1))
			fmt.Fprintln(&shown, err)
			long.Stop()
		}
		for _, form := range []string{secret, "sk-t", `sk-test-Zq9/7+x=\"y`, `sk-test-Zq9/7+x=\\\"y`, "Zq9"} {
			if strings.Contains(shown.String(), form) {
				t.Fatalf("the key is shown:\n%s", shown.String())
			}
		}
		if !strings.Contains(shown.String(), "provided: [redacted]") {
			t.Error("the server's message was lost with the key")
		}
	})
}

// A server that repeats the key in its answers, escaped or not, does not get it stored; a
// key that is an ordinary word is left alone.
func TestAnswersRepeatNoKey(t *testing.T) {
	eachDialect(t, func(t *testing.T, build func(string, mllm.Key) mllm.Client) {
		srv := mllmtest.New(t, mllmtest.Options{Answer: func(mllmtest.Record) string {
			return `the EMPTY box, sk-0123456789 and \u0073k-01\u00323456789 and c2stMDEyMzQ1Njc4OQ==`
		}})
		for _, value := range []string{"EMPTY", "sk-0123456789"} {
			t.Setenv("MLLM_TEST_KEY", value)
			key, err := mllm.KeyFromEnv("MLLM_TEST_KEY")
			if err != nil {
				t.Fatal(err)
			}
			resp, err := build(srv.URL, key).Generate(t.Context(), question(0))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(resp.Text, "the EMPTY box") || value != "EMPTY" && (strings.Count(resp.Text, "[redacted]") != 3 || strings.Contains(resp.Text, "456")) {
				t.Errorf("%s: %s", value, resp.Text)
			}
		}
	})
}

func TestKeyFromEnv(t *testing.T) {
	t.Setenv("MLLM_TEST_KEY", "a b"+secret)
	_, err := mllm.KeyFromEnv("MLLM_TEST_KEY")
	if _, mine := usererr.Hint(err); !mine || strings.Contains(err.Error(), secret) {
		t.Errorf("a key with a space: %v", err)
	}
	t.Setenv("MLLM_TEST_KEY", "")
	if _, err := mllm.KeyFromEnv("MLLM_TEST_KEY"); err == nil || !strings.Contains(err.Error(), "MLLM_TEST_KEY") {
		t.Errorf("an unset key: %v", err)
	}
	if key, err := mllm.KeyFromEnv(""); err != nil || key != (mllm.Key{}) {
		t.Errorf("no variable named: %v", err)
	}
}

func TestClientsRefuseBaseURLsThatCarryCredentials(t *testing.T) {
	for _, url := range []string{"http://user:hunter2@localhost:1", "http://localhost:1?api_key=hunter2", "ftp://localhost", "http://", "localhost:11434", "http://[::1", "http://u:hunter2@ho st/"} {
		for name, build := range dialects {
			if name == "openai" {
				url = strings.TrimSuffix(url, "/v1/")
			}
			_, err := build(url, mllm.Key{})
			if _, mine := usererr.Hint(err); !mine {
				t.Errorf("%s %s: %v", name, url, err)
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: the error shows the password: %v", name, err)
			}
		}
	}
}

func TestClientsTellCancellationFromFailure(t *testing.T) {
	eachDialect(t, func(t *testing.T, build func(string, mllm.Key) mllm.Client) {
		srv := mllmtest.New(t, mllmtest.Options{Script: []mllmtest.Fault{mllmtest.Hang}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Millisecond, cancel)
		if _, err := build(srv.URL, mllm.Key{}).Generate(ctx, question(1)); mllm.ClassOf(err) != mllm.Cancelled {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestClientsReportADeadServerAndARedirect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + l.Addr().String()
	l.Close()
	leaked := make(chan string, 8)
	srv := mllmtest.New(t, mllmtest.Options{})
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			leaked <- r.Header.Get("Authorization")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	eachDialect(t, func(t *testing.T, build func(string, mllm.Key) mllm.Client) {
		if _, err := build(dead, mllm.Key{}).Generate(t.Context(), question(1)); mllm.ClassOf(err) != mllm.Network {
			t.Errorf("nobody listens: %v", err)
		}
		_, err := build(srv.URL, mllm.Key{}).Generate(t.Context(), question(1))
		if _, mine := usererr.Hint(err); mllm.ClassOf(err) != mllm.Refused || !mine {
			t.Errorf("redirected: %v", err)
		}
		if len(leaked) > 0 {
			t.Error("the redirect was followed")
		}
	})
}
