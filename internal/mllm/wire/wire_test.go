package wire

import (
	"net/http"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0": 0, "7": 7 * time.Second, " 2.5 ": 2500 * time.Millisecond, "999999999999": time.Hour,
		"Fri, 02 Jan 2026 03:04:35 GMT":  30 * time.Second,
		"Friday, 02-Jan-26 03:05:05 GMT": time.Minute, // RFC 850, which servers must still be understood in
		"Fri, 02 Jan 2026 03:00:00 GMT":  0,
		"Fri, 02 Jan 2099 03:00:00 GMT":  time.Hour,
	} {
		if got, ok := retryAfter(http.Header{"Retry-After": {value}}, now); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "soon", "-1", "NaN", "Fri, 99 Jan 2026"} {
		if got, ok := retryAfter(http.Header{"Retry-After": {value}}, now); ok {
			t.Errorf("%q was read as %v", value, got)
		}
	}
}

func TestStatusesHaveClasses(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   mllm.Class
		text   string
	}{
		{429, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, mllm.RateLimit, "slow down (rate_limit_exceeded)"},
		{429, `{"error":{"message":"no credit","code":"insufficient_quota"}}`, mllm.Auth, "no credit (insufficient_quota)"},
		{401, `{"error":"bad key"}`, mllm.Auth, "bad key"},
		{403, `nope`, mllm.Auth, "nope"},
		{404, `{"error":"model 'x' not found"}`, mllm.NotFound, "model 'x' not found"},
		{404, ``, mllm.NotFound, "an empty body"},
		{400, `{"error":{"message":"This model's maximum context length is 4096 tokens"}}`, mllm.PromptCut, "This model's maximum context length is 4096 tokens"},
		{400, `{"error":{"type":"exceed_context_size_error","message":"too long"}}`, mllm.PromptCut, "too long (exceed_context_size_error)"},
		{400, `{"detail":"no"}`, mllm.Refused, "no"},
		{422, `{"message":"what"}`, mllm.Refused, "what"},
		{408, `{}`, mllm.Timeout, "{}"},
		{500, `<html>oops</html>`, mllm.Server, "<html>oops</html>"},
		{500, `{"error":{"code":500,"message":"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"}}`, mllm.Refused, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj (500)"},
		{501, `{"error":{"message":"This server does not support embeddings."}}`, mllm.Refused, "This server does not support embeddings."},
		{503, `{"error":{"message":"overloaded","type":"busy"}}`, mllm.Server, "overloaded (busy)"},
		{302, ``, mllm.Refused, "an empty body"},
		{204, ``, mllm.BadResponse, "an empty body"},
	} {
		e := StatusError(c.status, []byte(c.body), mllm.Key{})
		if e.Class != c.want || e.Status != c.status || e.Err.Error() != c.text {
			t.Errorf("%d %s: %s %q, want %s %q", c.status, c.body, e.Class, e.Err, c.want, c.text)
		}
	}
}
