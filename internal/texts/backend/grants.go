package backend

import (
	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
)

// Grants lists what the options would have the program send to, read or use: what needs the
// user's consent where a workspace named it.
func (o Options) Grants() (all []consent.Grant) {
	if o.Shared.Store != "" {
		all = append(all, consent.DatabaseGrant(o.Shared.Store, "store"))
	}
	if o.MLLM == Offline {
		return all
	}
	// With workers too: a server that is named tells this process what the model is.
	for _, t := range connect.Targets(connect.Options{Kind: o.MLLM, URLs: o.Servers.BaseURLs, KeyEnv: o.Servers.KeyEnv}) {
		all = append(all, consent.ServerGrant(t.URL, t.KeyEnv, "base-url", "api-key-env", "mllm"))
	}
	for _, p := range o.Prompts {
		all = append(all, consent.PathGrant(consent.Read, p, "prompts"))
	}
	if o.Servers.Prices != "" {
		all = append(all, consent.PathGrant(consent.Read, o.Servers.Prices, "prices"))
	}
	if o.Shared.Spool != "" {
		all = append(all, consent.PathGrant(consent.Write, o.Shared.Spool, "spool"))
	}
	return all
}
