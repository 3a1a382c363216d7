package pages

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/web/api"
)

// maxForm bounds what a form may send, in bytes.
const maxForm = 64 << 10

// forms adds what changes something. A form of another site is refused, whatever key the browser sends along.
func (s *site) forms(mux *http.ServeMux) {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.write(w, r, http.StatusForbidden, "error", map[string]string{"Title": "Refused", "Detail": "The form comes from another site."})
	}))
	post := func(path string, role live.Role, do func(*http.Request) (to, said string, err error)) {
		mux.Handle("POST "+path, guard.Handler(s.guarded(role, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				s.write(w, r, http.StatusBadRequest, "error", map[string]string{"Title": "That cannot be", "Detail": "The form cannot be read, or is too long."})
				return
			}
			to, word, err := do(r)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			http.Redirect(w, r, to+"?said="+url.QueryEscape(word), http.StatusSeeOther)
		})))
	}
	post("/u/{user}/preference", live.Feedback, s.edit)
	post("/u/{user}/revert", live.Feedback, s.revert)
	post("/u/{user}/feedback", live.Feedback, s.react)
	post("/i/{item}/hidden", live.Admin, s.hide)
	post("/runs/{run}/serve", live.Admin, s.serveRun)
	mux.Handle("POST /login", guard.Handler(http.HandlerFunc(s.login)))
	mux.Handle("POST /logout", guard.Handler(http.HandlerFunc(s.logout)))
}

func userPage(r *http.Request) string { return "/u/" + url.PathEscape(r.PathValue("user")) }

func (s *site) edit(r *http.Request) (to, said string, err error) {
	base, err := strconv.ParseInt(r.PostFormValue("base"), 10, 64)
	if err != nil {
		base = live.AnyVersion
	}
	text := strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n"))
	return userPage(r), "edited", s.shop.EditPreference(r.Context(), live.Edit{User: r.PathValue("user"), Text: text, By: live.ByUser, Base: base})
}

func (s *site) revert(r *http.Request) (to, said string, err error) {
	version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err != nil || version < 0 {
		return "", "", usererr.New("Use the button beside it.", "%.40q is no version of a text", r.PostFormValue("version"))
	}
	return userPage(r), "reverted", s.shop.RevertPreference(r.Context(), r.PathValue("user"), version, live.ByUser, live.AnyVersion)
}

func (s *site) react(r *http.Request) (to, said string, err error) {
	word := map[string]string{string(live.Like): "liked", string(live.Hide): "hid"}[r.PostFormValue("type")]
	_, err = s.shop.Feedback(r.Context(), []live.Event{{User: r.PathValue("user"), Item: r.PostFormValue("item"), Type: live.EventType(r.PostFormValue("type"))}})
	return userPage(r), word, err
}

func (s *site) hide(r *http.Request) (to, said string, err error) {
	hidden := r.PostFormValue("hidden") == "true"
	said = "shown"
	if hidden {
		said = "hidden"
	}
	_, err = s.shop.HideItems(r.Context(), []string{r.PathValue("item")}, hidden)
	return "/i/" + url.PathEscape(r.PathValue("item")), said, err
}

func (s *site) serveRun(r *http.Request) (to, said string, err error) {
	return "/runs", "served", s.api.Serve(r.Context(), r.PathValue("run"), "chosen on the page of runs")
}

// login keeps the key of who looks in a cookie that no script reads and no other site's form sends.
func (s *site) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	key := strings.TrimSpace(r.PostFormValue("key"))
	if verdict, _ := s.api.Gate().Admit(key, live.Read); verdict == api.NoKey {
		s.write(w, r, http.StatusUnauthorized, "error", map[string]string{"Title": "That is no key of this shop", "Detail": "Keys are made by 'mllmrec key add' and shown once.", "Back": "/login"})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: keyCookie, Value: key, Path: "/", HttpOnly: true, Secure: s.opt.Secure, SameSite: http.SameSiteStrictMode, MaxAge: 12 * 3600})
	http.Redirect(w, r, local(r.PostFormValue("to")), http.StatusSeeOther)
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: keyCookie, Path: "/", HttpOnly: true, Secure: s.opt.Secure, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
