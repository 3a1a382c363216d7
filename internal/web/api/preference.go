package api

import (
	"context"
	"net/http"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const tagPeople = "Users"

type preferenceOut struct{ Body *client.Preference }

// OnUser is an operation on a user. It is exported for the library that reads its tags.
type OnUser struct {
	User string `path:"user" maxLength:"1024" doc:"id of the user"`
}

func (a *API) preferences() {
	register(a, operation{id: "preference", method: http.MethodGet, path: "/v1/users/{user}/preference", tag: tagPeople, role: live.Read,
		summary: "What the shop believes of a user, in words"},
		func(ctx context.Context, in *OnUser) (*preferenceOut, error) { return a.preference(ctx, in.User) })
	register(a, operation{id: "preference-edit", method: http.MethodPut, path: "/v1/users/{user}/preference", tag: tagPeople, role: live.Feedback,
		summary: "Edit it", description: "The next list heeds it. It outlives restarts and other runs, earlier versions are kept, and it can be reverted. 409 if it was edited since 'base'."},
		func(ctx context.Context, in *struct {
			OnUser
			Body client.Edit
		}) (*preferenceOut, error) {
			base := live.AnyVersion
			if in.Body.Base != nil {
				base = *in.Body.Base
			}
			if err := a.shop.EditPreference(ctx, live.Edit{User: in.User, Text: in.Body.Text, By: live.ByUser, Base: base}); err != nil {
				return nil, err
			}
			return a.preference(ctx, in.User)
		})
	register(a, operation{id: "preference-versions", method: http.MethodGet, path: "/v1/users/{user}/preference/versions", tag: tagPeople, role: live.Read,
		summary: "Its versions, oldest first"}, a.versions)
	register(a, operation{id: "preference-revert", method: http.MethodPost, path: "/v1/users/{user}/preference/revert", tag: tagPeople, role: live.Feedback,
		summary: "Go back to an earlier version", description: "Version 0 is the run's own text. Going back is a version of its own."},
		func(ctx context.Context, in *struct {
			OnUser
			Body struct {
				Version int64  `json:"version" minimum:"0"`
				Base    *int64 `json:"base,omitempty" minimum:"0"`
			}
		}) (*preferenceOut, error) {
			base := live.AnyVersion
			if in.Body.Base != nil {
				base = *in.Body.Base
			}
			if !a.shop.Known(in.User) {
				return nil, usererr.Of(usererr.KindUnknown, "", "unknown user %q", in.User)
			}
			if err := a.shop.RevertPreference(ctx, in.User, in.Body.Version, live.ByUser, base); err != nil {
				return nil, err
			}
			return a.preference(ctx, in.User)
		})
	register(a, operation{id: "history", method: http.MethodGet, path: "/v1/users/{user}/history", tag: tagPeople, role: live.Read,
		summary: "What a user chose, oldest first"}, a.history)
	register(a, operation{id: "users-add", method: http.MethodPost, path: "/v1/users", tag: tagPeople, role: live.Admin, body: maxBulk,
		summary: "Add users", description: "Users of whom something is posted need not be added. Those who are there stay as they are."},
		func(ctx context.Context, in *struct {
			Body struct {
				Users []string `json:"users" minItems:"1" maxItems:"10000"`
			}
		}) (*struct {
			Body struct {
				Users int `json:"users"`
			}
		}, error) {
			added, err := a.shop.AddUsers(ctx, in.Body.Users)
			if err != nil {
				return nil, err
			}
			out := &struct {
				Body struct {
					Users int `json:"users"`
				}
			}{}
			out.Body.Users = len(added)
			return out, nil
		})
}

func (a *API) preference(ctx context.Context, user string) (*preferenceOut, error) {
	p, err := a.shop.Preference(ctx, user)
	if err != nil {
		return nil, err
	}
	return &preferenceOut{&client.Preference{User: p.User, Text: p.Text, Own: p.Own, Version: p.Version, By: string(p.By), Changed: p.Changed, OwnText: p.Run, Read: p.Read}}, nil
}

type versionsOut struct {
	Body struct {
		Versions []client.PreferenceVersion `json:"versions"`
	}
}

func (a *API) versions(ctx context.Context, in *OnUser) (*versionsOut, error) {
	if !a.shop.Known(in.User) {
		return nil, usererr.Of(usererr.KindUnknown, "", "unknown user %q", in.User)
	}
	all, err := a.shop.Store().PreferenceHistory(ctx, in.User)
	if err != nil {
		return nil, err
	}
	out := &versionsOut{}
	out.Body.Versions = []client.PreferenceVersion{}
	for _, p := range all {
		out.Body.Versions = append(out.Body.Versions, client.PreferenceVersion{Version: p.Version, Text: p.Text, Own: p.Own, By: string(p.By), From: p.From, Changed: p.Changed})
	}
	return out, nil
}

type historyOut struct {
	Body struct {
		Items []client.Choice `json:"items"`
	}
}

func (a *API) history(_ context.Context, in *OnUser) (*historyOut, error) {
	all, err := a.shop.History(in.User)
	if err != nil {
		return nil, err
	}
	out := &historyOut{}
	out.Body.Items = []client.Choice{}
	for _, c := range all {
		out.Body.Items = append(out.Body.Items, client.Choice{Item: itemOf(c.Item), Live: c.Live})
	}
	return out, nil
}
