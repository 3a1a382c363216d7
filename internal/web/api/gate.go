package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/shopfront"
)

// Gate tells who calls, and whether they may.
type Gate struct {
	shop   *shopfront.Shop
	open   bool
	rate   float64
	mu     sync.Mutex
	limits map[string]*rate.Limiter // by key
	used   map[string]bool          // keys since they were last recorded
}

// NewGate makes a gate. open lets everybody in where the shop has no keys.
func NewGate(shop *shopfront.Shop, open bool, perSecond float64) *Gate {
	return &Gate{shop: shop, open: open, rate: perSecond, limits: map[string]*rate.Limiter{}, used: map[string]bool{}}
}

// Verdict is what the gate says of a call.
type Verdict int

// What a gate can say.
const (
	Admitted  Verdict = iota
	NoKey             // there is none, or none that holds
	WrongRole         // the key is for something else
	TooMany           // requests of the key a second
)

// dummy is compared with where no key has the id that was sent, so that a wrong id takes as long as a wrong secret.
var dummy = live.Key{KeyState: live.KeyState{Hash: strings.Repeat("0", 64)}}

// Admit tells whether who sent a secret may do what needs a role, and counts the call; id is that of the key, "" where none is needed.
func (g *Gate) Admit(secret string, role live.Role) (v Verdict, id string) {
	if v, id = g.judge(secret, role); v == Admitted && id != "" && !g.allow(id) {
		v = TooMany
	}
	return v, id
}

// May tells whether who sent a secret has a role, and counts nothing.
func (g *Gate) May(secret string, role live.Role) bool {
	v, _ := g.judge(secret, role)
	return v == Admitted
}

func (g *Gate) judge(secret string, role live.Role) (v Verdict, id string) {
	if role == "" {
		return Admitted, ""
	}
	if secret == "" && g.open && !g.shop.Keyed() {
		return Admitted, ""
	}
	id, ok := live.SecretID(secret)
	key := g.shop.Key(id)
	if !ok || key == nil {
		dummy.Opens(secret)
		return NoKey, ""
	}
	if !key.Opens(secret) {
		return NoKey, ""
	}
	if !key.May(role) {
		return WrongRole, id
	}
	return Admitted, id
}

// allow counts a call of a key.
func (g *Gate) allow(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used[id] = true
	if g.rate <= 0 {
		return true
	}
	l := g.limits[id]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(g.rate), max(1, int(2*g.rate)))
		g.limits[id] = l
	}
	return l.Allow()
}

// Record stores which keys were used, until ctx ends.
func (g *Gate) Record(ctx context.Context, every time.Duration, trouble func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g.mu.Lock()
		var ids []string
		for id := range g.used {
			ids = append(ids, id)
		}
		clear(g.used)
		g.mu.Unlock()
		if len(ids) == 0 {
			continue
		}
		if err := g.shop.Store().UsedKeys(ctx, ids); err != nil && ctx.Err() == nil {
			trouble(err)
		}
	}
}

// Bearer is the secret that a request brings.
func Bearer(header string) string {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// admin lets only admins to a handler.
func (a *API) admin(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch v, _ := a.gate.Admit(Bearer(r.Header.Get("Authorization")), live.Admin); v {
		case Admitted:
			h.ServeHTTP(w, r)
		case WrongRole:
			http.Error(w, "The key has not the role admin.", http.StatusForbidden)
		case TooMany:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "Too many requests.", http.StatusTooManyRequests)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "An API key is needed.", http.StatusUnauthorized)
		}
	})
}
