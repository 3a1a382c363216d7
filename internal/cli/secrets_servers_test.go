//go:build unix

package cli

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mllmrec/mllmrec/internal/secret/secrettest"
)

// gossip is a server of models, vectors and files of a hub that repeats the key it gets,
// each time written in another way, wherever it can put words.
type gossip struct {
	mode string
	hub  http.Handler
	nth  atomic.Int64
}

// gossips are the modes: how the server answers, by what it does with the key.
var gossips = []string{"answer", "think", "parts", "fields", "model", "models", "refusal", "empty", "error in 200", "400", "401", "403", "404", "408", "413", "429", "500", "503",
	"redirect", "torn", "no JSON", "broken off", "status line", "no HTTP", "vectors"}

func gossipAt(t *testing.T, mode string) string {
	server := httptest.NewServer(&gossip{mode: mode, hub: serveHub(tinyModel)})
	t.Cleanup(server.Close)
	return server.URL
}

// written is the key in the next way of writing, and how it stands in JSON: where it looks
// like escapes of JSON, at every other time just so.
func (g *gossip) written(key string) (text, inJSON string) {
	all := secrettest.Writings(key)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	n := int(g.nth.Add(1))
	text = all[names[n%len(names)]]
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always marshal
	}
	inJSON = string(quoted)
	if raw := `"` + text + `"`; n/len(names)%2 == 1 && json.Valid([]byte(raw)) {
		inJSON = raw
	}
	return text, inJSON
}

func (g *gossip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) //nolint:errcheck // the client notices
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if key == "" {
		key = "nobody-said-a-key"
	}
	if g.fails(w, r, key) {
		return
	}
	_, say := g.written(key)
	name := `"gemma3:27b"`
	switch path := r.URL.Path; {
	case path == "/api/version":
		fmt.Fprintf(w, `{"version":%s}`, say)
	case path == "/api/tags":
		other := ""
		if g.mode == "models" {
			other = fmt.Sprintf(`{"name":%[1]s,"model":%[1]s,"digest":%[1]s},`, say)
		}
		fmt.Fprintf(w, `{"models":[%s{"name":%s,"model":%s,"digest":%s,"details":{"family":%[4]s,"parameter_size":%[4]s,"quantization_level":%[4]s}},{"name":"m:latest","model":"m:latest","digest":%[4]s}]}`, other, name, name, say)
	case path == "/api/show":
		fmt.Fprintf(w, `{"capabilities":["vision",%s],"model_info":{%[1]s:%[1]s,"gemma3.context_length":131072}}`, say)
	case path == "/v1/models":
		fmt.Fprintf(w, `{"data":[{"id":%s,"owned_by":%[1]s},{"id":"gemma3:27b"},{"id":"m"}]}`, say)
	case path == "/info":
		fmt.Fprintf(w, `{"model_id":"m","model_sha":%s}`, say)
	case strings.Contains(path, "embed"):
		vector := "[0.5,0.25,-0.5,1]"
		if g.mode == "vectors" {
			vector = fmt.Sprintf(`[%s]`, say)
		}
		fmt.Fprintf(w, `{"object":%[1]s,"model":%[1]s,"data":[{"index":0,"object":%[1]s,"embedding":%[2]s}],"embeddings":[%[2]s],"usage":{%[1]s:1}}`, say, vector)
	case strings.HasPrefix(path, "/api/models/") || strings.Contains(path, "/resolve/"):
		g.hub.ServeHTTP(w, r)
	default:
		g.chat(w, key, name)
	}
}

// chat answers in both dialects at once.
func (g *gossip) chat(w http.ResponseWriter, key, model string) {
	text, say := g.written(key)
	content := quote("A buyer of mugs and lamps, of the key " + text + ", who likes red things.")
	finish, refusal := `"stop"`, `""`
	parts := content
	switch g.mode {
	case "think":
		content = quote("A buyer of mugs of the key " + key[:9] + "<think>of whom?</think>" + key[9:] + " likes red things.")
		parts = content
	case "parts":
		parts = fmt.Sprintf(`[{"type":"text","text":%s},{"type":"text","text":%s}]`, quote("A buyer of red mugs "+key[:7]), quote(key[7:]+" who likes lamps."))
	case "model":
		model = say
	case "fields":
		content, finish = quote("A buyer of red mugs who likes lamps."), say
		parts = content
	case "refusal":
		content, refusal = quote("I'm sorry, but I can't help with "+text), say
		parts = content
	case "empty":
		content, parts, finish, refusal = `""`, "null", say, say
	}
	fmt.Fprintf(w, `{"id":%[1]s,"model":%[2]s,"created_at":%[1]s,"system_fingerprint":%[1]s,"done":true,"done_reason":%[3]s,"prompt_eval_count":5000,"eval_count":30,%[1]s:%[1]s,
		"message":{"role":%[1]s,"content":%[4]s,"thinking":%[1]s},"usage":{"prompt_tokens":5000,"completion_tokens":30,%[1]s:1},
		"choices":[{"finish_reason":%[3]s,"logprobs":%[1]s,"message":{"role":%[1]s,"content":%[5]s,"refusal":%[6]s,"reasoning_content":%[1]s}}]}`, say, model, finish, content, parts, refusal)
}

func quote(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(raw)
}

// fails answers as a server that does not do what is asked, and says whether it did.
func (g *gossip) fails(w http.ResponseWriter, r *http.Request, key string) bool {
	text, say := g.written(key)
	header := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	var status int
	if _, err := fmt.Sscanf(g.mode, "%d", &status); err == nil {
		w.Header().Set("Retry-After", header)
		w.Header().Set("WWW-Authenticate", "Bearer "+header)
		bodies := []string{`{"error":{"message":%s,"type":"auth","code":%[1]s}}`, `{"error":%s}`, `{"message":%s}`, `{"detail":[{"msg":%s,"input":%[1]s}]}`, `{"error":{"note":%s}}`, `<html>%s</html>`, `key=%s`, `{"error":{"message":%s`}
		body := fmt.Sprintf(bodies[int(g.nth.Load())%len(bodies)], say)
		if strings.HasPrefix(body, "<") {
			body = strings.Repeat("x", 390) + text // an excerpt ends in the middle of it
		}
		w.WriteHeader(status)
		io.WriteString(w, body) //nolint:errcheck // the client notices
		return true
	}
	hijack := func(text string) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(conn, text) //nolint:errcheck // the client notices
		conn.Close()
	}
	switch g.mode {
	case "redirect":
		w.Header().Set("Location", "http://127.0.0.1:1/?key="+header)
		w.WriteHeader(http.StatusFound)
	case "torn":
		fmt.Fprintf(w, `{"model":"gemma3:27b","message":{"content":%s`, say)
	case "no JSON":
		fmt.Fprintf(w, `your key is %s`, text)
	case "broken off":
		w.Header().Set("Content-Length", "100000")
		fmt.Fprintf(w, `{"error":%s`, say)
		panic(http.ErrAbortHandler)
	case "status line":
		hijack("HTTP/1.1 500 " + header + "\r\nX-Key: " + header + "\r\nContent-Length: 0\r\n\r\n")
	case "no HTTP":
		hijack("HTTP/1.1 " + header + "\r\n" + header + "\r\n\r\n")
	case "error in 200":
		fmt.Fprintf(w, `{"error":%s}`, say)
	default:
		return false
	}
	return true
}

// gossipingDatabase speaks as much of PostgreSQL's protocol as it takes to be told the
// password, and repeats it in its refusal.
func gossipingDatabase(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go refuse(conn, n)
		}
	}()
	return l.Addr().String()
}

func refuse(conn net.Conn, n int) {
	defer conn.Close()
	read := func(head int) []byte {
		b := make([]byte, head)
		if _, err := io.ReadFull(conn, b); err != nil {
			return nil
		}
		body := make([]byte, max(0, int(binary.BigEndian.Uint32(b[head-4:]))-4))
		if _, err := io.ReadFull(conn, body); err != nil {
			return nil
		}
		return body
	}
	if read(4) == nil { // who connects to what
		return
	}
	conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) //nolint:errcheck // the client notices: the password in clear text, please
	password := strings.TrimRight(string(read(5)), "\x00")
	all := secrettest.Writings(password)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	said := strings.ReplaceAll(all[names[n%len(names)]], "\x00", "")
	code := []string{"28P01", "3D000", "XX000"}[n%3]
	var fields []byte
	for _, f := range []string{"SFATAL", "VFATAL", "C" + code, "Mno way with " + said, "Dit was " + said, "Htry another than " + said} {
		fields = append(append(fields, f...), 0)
	}
	fields = append(fields, 0)
	message := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(fields)+4))
	conn.Write(append(message, fields...)) //nolint:errcheck // the client notices
}
