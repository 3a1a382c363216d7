package texts

import "github.com/mllmrec/mllmrec/internal/secret"

// Redact removes secrets from what servers and libraries said. Every [Store] calls it before
// it stores a generation, and after reading one, which an older version may have stored.
func (g *Generation) Redact() {
	for _, s := range []*string{&g.Text, &g.Error, &g.Model, &g.ModelDigest, &g.Finish, &g.Class} {
		*s = secret.Redact(*s)
	}
}
