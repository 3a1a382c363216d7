package ollama

import "github.com/mllmrec/mllmrec/internal/mllm"

const (
	smallestWindow = 2048
	answerRoom     = 1024 // tokens left for the answer when the request sets no limit
)

// window returns the context window to request: the estimated prompt with a margin, and the
// answer, rounded up so that requests of similar size have the same window. It never becomes
// smaller, because the server reloads the model for every change, and it is at most limit,
// unless limit is 0 (unknown).
func (m *model) window(r mllm.Request, limit int) int {
	answer := r.MaxTokens
	if answer == 0 {
		answer = answerRoom
	}
	prompt := m.estimator.Prompt(r)
	want := step(prompt + prompt/8 + answer)
	if limit > 0 {
		want = min(want, limit)
	}
	return m.raise(want)
}

// raise sets the model's window to want unless it is larger already, and returns it.
func (m *model) raise(want int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.numCtx = max(m.numCtx, want)
	return m.numCtx
}

// step rounds up to 2048, 3072, 4096, 6144, 8192, 12288, …
func step(n int) int {
	for p := smallestWindow; ; p *= 2 {
		switch {
		case n <= p:
			return p
		case n <= p+p/2:
			return p + p/2
		}
	}
}
