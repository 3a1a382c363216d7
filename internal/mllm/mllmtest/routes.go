package mllmtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/version", func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, map[string]any{"version": "0.0.0-test"}) })
	mux.HandleFunc("GET /api/tags", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"models": []any{map[string]any{
			"name": s.opt.Model, "model": s.opt.Model, "digest": s.Digest(),
			"details": map[string]any{"family": "gemma3", "parameter_size": "27B", "quantization_level": "Q4_K_M"},
		}}})
	})
	mux.HandleFunc("POST /api/show", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{
			"model_info":   map[string]any{"general.architecture": "gemma3", "gemma3.context_length": s.opt.ContextLength, "gemma3.vision.block_count": 27},
			"capabilities": []string{"completion", "vision"},
		})
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"data": []any{map[string]any{"id": s.opt.Model, "max_model_len": s.opt.ContextLength}}})
	})
	mux.HandleFunc("POST /api/chat", func(w http.ResponseWriter, r *http.Request) { s.chat(w, r, "ollama", readOllama) })
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) { s.chat(w, r, "openai", readOpenAI) })
	return mux
}

func (s *Server) chat(w http.ResponseWriter, req *http.Request, dialect string, read func([]byte) (Record, error)) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 64<<20))
	if err != nil {
		return
	}
	r, err := read(body)
	if err != nil {
		reply(w, 400, map[string]any{"error": err.Error()})
		return
	}
	r.Dialect, r.Authorization = dialect, req.Header.Get("Authorization")
	r = s.admit(r)
	defer s.done()
	if s.opt.Delay > 0 && !s.wait(req, s.opt.Delay) {
		return
	}
	s.answer(w, req, r)
}

func (s *Server) answer(w http.ResponseWriter, req *http.Request, r Record) {
	failure := func(status int, message string) {
		if r.Dialect == "ollama" {
			reply(w, status, map[string]any{"error": message})
			return
		}
		reply(w, status, map[string]any{"error": map[string]any{"message": message, "type": "test", "code": nil}})
	}
	model, text, finish := r.Model, s.opt.Answer(r), "stop"
	prompt := s.promptTokens(r)
	switch r.Fault {
	case RateLimit:
		w.Header().Set("Retry-After", s.opt.RetryAfter)
		failure(429, "too many requests")
		return
	case BareLimit:
		failure(429, "too many requests")
		return
	case ServerError:
		failure(500, "the model runner fell over")
		return
	case BadRequest:
		failure(400, "the request is not understood")
		return
	case Auth:
		// Servers are known to repeat the key they were given.
		failure(401, "incorrect API key provided: "+strings.TrimPrefix(r.Authorization, "Bearer "))
		return
	case Hang:
		s.wait(req, time.Hour)
		return
	case WrongModel:
		model = "another-model:1b"
	case Empty:
		text = ""
	case OverLong:
		text = overLong(r.Seed)
	case CutOff:
		text, finish = text[:len(text)/2], "length"
	case Loop:
		text = strings.Repeat("It is a soft toy for a child. ", 60)
	case Refusal:
		text = "I'm sorry, but I can't help with that request."
	case PromptCut:
		prompt = max(1, mllm.FloorTokens(r.System+" "+r.Prompt)/2)
	}
	answer := encode(r, model, text, finish, prompt)
	switch r.Fault {
	case Torn:
		write(w, answer[:len(answer)*2/3])
	case Reset:
		s.breakOff(w, answer)
	case SlowDrip:
		s.drip(w, req)
	case Flood:
		s.flood(w, req)
	default:
		write(w, answer)
	}
}

func overLong(seed int64) string {
	var b strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&b, "word%d ", int64(i)*7919+seed)
	}
	return b.String()
}

// breakOff promises the whole answer, sends half of it, and closes the connection.
func (s *Server) breakOff(w http.ResponseWriter, answer []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
	_, _ = w.Write(answer[:len(answer)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// drip sends white space, which may stand before any JSON, a byte at a time.
func (s *Server) drip(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for s.wait(req, 20*time.Millisecond) {
		if _, err := w.Write([]byte{' '}); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

func (s *Server) flood(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	block := []byte(strings.Repeat(" ", 64<<10))
	for range 4096 { // 256 MiB: far over any bound, yet not for ever
		if req.Context().Err() != nil {
			return
		}
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// promptTokens counts about as a tokenizer would, and cuts at the window as Ollama does.
func (s *Server) promptTokens(r Record) int {
	n := mllm.EstimateTokens(r.System) + mllm.EstimateTokens(r.Prompt) + s.opt.PictureTokens*len(r.Images) + 10
	if r.NumCtx > 0 {
		n = min(n, r.NumCtx)
	}
	return n
}

func encode(r Record, model, text, finish string, prompt int) []byte {
	count := max(1, mllm.EstimateTokens(text))
	var v any
	if r.Dialect == "ollama" {
		v = map[string]any{"model": model, "created_at": "2026-01-01T00:00:00Z", "message": map[string]any{"role": "assistant", "content": text},
			"done": true, "done_reason": finish, "prompt_eval_count": prompt, "eval_count": count}
	} else {
		v = map[string]any{"id": "chatcmpl-test", "object": "chat.completion", "model": model,
			"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": map[string]any{"role": "assistant", "content": text}}},
			"usage":   map[string]any{"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}}
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return data
}

func write(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func readOllama(body []byte) (Record, error) {
	var in struct {
		Model    string
		Messages []struct {
			Role, Content string
			Images        [][]byte
		}
		KeepAlive string `json:"keep_alive"`
		Options   struct {
			Seed        int64
			Temperature float64
			NumCtx      int `json:"num_ctx"`
			NumPredict  int `json:"num_predict"`
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Record{}, err
	}
	r := Record{Model: in.Model, Seed: in.Options.Seed, Temperature: in.Options.Temperature, NumCtx: in.Options.NumCtx, MaxTokens: in.Options.NumPredict, KeepAlive: in.KeepAlive}
	for _, m := range in.Messages {
		if m.Role == "system" {
			r.System = m.Content
			continue
		}
		r.Prompt = m.Content
		r.Images = append(r.Images, m.Images...)
	}
	return r, nil
}

func readOpenAI(body []byte) (Record, error) {
	var in struct {
		Model       string
		Seed        int64
		Temperature float64
		MaxTokens   int `json:"max_tokens"`
		MaxComplete int `json:"max_completion_tokens"`
		Messages    []struct {
			Role    string
			Content json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Record{}, err
	}
	r := Record{Model: in.Model, Seed: in.Seed, Temperature: in.Temperature, MaxTokens: max(in.MaxTokens, in.MaxComplete)}
	for _, m := range in.Messages {
		var text string
		if json.Unmarshal(m.Content, &text) == nil {
			if m.Role == "system" {
				r.System = text
			} else {
				r.Prompt = text
			}
			continue
		}
		var parts []struct {
			Type, Text string
			ImageURL   struct{ URL string } `json:"image_url"`
		}
		if err := json.Unmarshal(m.Content, &parts); err != nil {
			return Record{}, err
		}
		for _, p := range parts {
			if p.Type == "text" {
				r.Prompt = p.Text
				continue
			}
			_, encoded, ok := strings.Cut(p.ImageURL.URL, ";base64,")
			data, err := base64.StdEncoding.DecodeString(encoded)
			if !ok || err != nil {
				return Record{}, fmt.Errorf("an image part is no data URI")
			}
			r.Images = append(r.Images, data)
		}
	}
	return r, nil
}
