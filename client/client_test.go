package client_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/client"
)

// What comes back that is no answer is an error with its status, whoever sent it; ids stay one part of the address; the key goes along.
func TestAnswersThatAreNone(t *testing.T) {
	reply, code, asked := "", 200, (*http.Request)(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Clone(r.Context())
		w.WriteHeader(code)
		w.Write([]byte(reply)) //nolint:errcheck // a test
	}))
	defer server.Close()
	shop := client.New(server.URL+"/", "mllmrec_key")
	for _, c := range []struct {
		code  int
		reply string
		want  string
	}{
		{404, `{"status":404,"title":"Not Found","detail":"unknown user \"x\""}`, "unknown user"},
		{502, "<html>a proxy says no</html>", "Bad Gateway"},
		{422, `{"detail":"validation failed","errors":[{"message":"expected number","location":"query.k"}]}`, "query.k: expected number"},
		{200, "<html>no JSON</html>", "read the server's answer"},
		{500, "", "Internal Server Error"},
	} {
		reply, code = c.reply, c.code
		_, err := shop.ForUser(t.Context(), "a/b?c d", 3)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s: %v", c.code, c.reply, err)
		}
		var problem *client.Error
		if errors.As(err, &problem) != (c.code >= 300) || problem != nil && problem.Status != c.code {
			t.Errorf("%d: %+v", c.code, problem)
		}
		if got := asked.URL.EscapedPath(); got != "/v1/users/a%2Fb%3Fc%20d/recommendations" || asked.Header.Get("Authorization") != "Bearer mllmrec_key" {
			t.Errorf("asks %s with %q", got, asked.Header.Get("Authorization"))
		}
	}
}
