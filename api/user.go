package api

import (
	"cmp"
	"context"

	"dialtone/models"
)

// listUsers serves GET .../users.
func (s *server) listUsers(ctx context.Context, r *request) (*answer, error) {
	return list(r, collection[*models.User]{
		fetch: func(l models.Listing) ([]*models.User, error) {
			return s.Store.ListUsers(ctx, r.account.ID, l)
		},
		id:      func(u *models.User) string { return u.ID },
		record:  s.userRecord,
		summary: s.userSummary,
	})
}

// userRecord has the defaults, which are shown and not stored: a filter for
// enabled=true means all that are.
func (s *server) userRecord(u *models.User) record {
	return record{
		kind: "user", accountID: u.AccountID, meta: u.Meta, doc: u.Document, completed: s.schemas["users"].completing(u.Document),
	}
}

func (s *server) userSummary(u *models.User) map[string]any {
	doc := s.schemas["users"].completed(u.Document)
	out := map[string]any{"id": u.ID, "features": userFeatures(doc), "flags": []any{}}
	copyMembers(out, doc, "username", "email", "first_name", "last_name", "priv_level", "feature_level",
		"presence_id", "timezone", "flags", "call_recording", "service")
	return out
}

// userFeatures names what is switched on for a user.
func userFeatures(doc models.Document) []any {
	features := []any{}
	for _, f := range []struct{ name, path string }{
		{"hotdesk", "hotdesk.enabled"},
		{"call_forward", "call_forward.enabled"},
		{"call_forward_failover", "call_forward.failover"},
		{"caller_id", "caller_id.internal"},
		{"vm_to_email", "vm_to_email_enabled"},
		{"music_on_hold", "music_on_hold.media_id"},
		{"do_not_disturb", "do_not_disturb.enabled"},
	} {
		if v, ok := doc.Lookup(f.path); ok && v != false {
			features = append(features, f.name)
		}
	}
	return features
}

// showUser serves GET .../users/{U}.
func (s *server) showUser(ctx context.Context, r *request) (*answer, error) {
	u, err := s.user(ctx, r)
	if err != nil {
		return nil, err
	}
	return one(u.Meta, s.publicUser(u)), nil
}

// user reads the user that the path names.
func (s *server) user(ctx context.Context, r *request) (*models.User, error) {
	id, err := r.pathID("user")
	if err != nil {
		return nil, err
	}
	u, err := s.Store.User(ctx, r.account.ID, id)
	return u, notFound(err, id)
}

// findUser reads the user of the path, when the path goes on behind it.
func (s *server) findUser(ctx context.Context, r *request) error {
	_, err := s.user(ctx, r)
	return err
}

func (s *server) publicUser(u *models.User) map[string]any {
	return publicDocument(s.schemas["users"].completed(u.Document), u.ID)
}

// createUser serves PUT .../users.
func (s *server) createUser(ctx context.Context, r *request) (*answer, error) {
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	sync := takeSync(doc)
	id, idWrong := takeID(doc)
	u := &models.User{AccountID: r.account.ID}
	u.ID = id
	wrong, err := s.settleUser(ctx, u, doc)
	if err != nil {
		return nil, err
	}
	wrong.merge(idWrong)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	if err := u.SetDocument(doc); err != nil {
		return nil, err
	}
	if err := s.Store.CreateUser(ctx, u); err != nil {
		return nil, nameTaken(err, doc)
	}
	if sync {
		s.syncAccount(ctx, r)
	}
	return created(u.Meta, r.path+"/"+u.ID, s.publicUser(u)), nil
}

// replaceUser serves POST .../users/{U}: what is not sent is dropped.
func (s *server) replaceUser(ctx context.Context, r *request) (*answer, error) {
	return s.updateUser(ctx, r, func(_, sent models.Document) models.Document { return sent.Clone() })
}

// patchUser serves PATCH .../users/{U}: what is not sent stays.
func (s *server) patchUser(ctx context.Context, r *request) (*answer, error) {
	return s.updateUser(ctx, r, merge)
}

// updateUser saves what edit makes of the stored document and the one sent.
func (s *server) updateUser(ctx context.Context, r *request, edit func(stored, sent models.Document) models.Document) (*answer, error) {
	sent, err := r.document()
	if err != nil {
		return nil, err
	}
	sync := takeSync(sent)
	delete(sent, "id")
	var old, saved *models.User
	err = s.untilWritten(ctx, func(ctx context.Context) error {
		old, saved, err = s.updateUserOnce(ctx, r, func(stored models.Document) models.Document { return edit(stored, sent) })
		return err
	})
	if err != nil {
		return nil, err
	}
	s.tellOwnedPhones(ctx, r, old, saved)
	if sync {
		s.syncAccount(ctx, r)
	}
	return one(saved.Meta, s.publicUser(saved)), nil
}

// updateUserOnce computes the new document and writes it, unless the stored
// one changed in between: ErrConflict. It returns the user before and after.
func (s *server) updateUserOnce(ctx context.Context, r *request, edit func(models.Document) models.Document) (old, saved *models.User, err error) {
	old, err = s.user(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	next, doc := *old, edit(old.Document)
	wrong, err := s.settleUser(ctx, &next, doc)
	if err != nil {
		return nil, nil, err
	}
	if err := cmp.Or(wrong.err(), r.ifMatch(old.Revision)); err != nil {
		return nil, nil, err
	}
	if err := next.SetDocument(doc); err != nil {
		return nil, nil, err
	}
	return old, &next, nameTaken(s.Store.SaveUser(ctx, old, &next), doc)
}

// deleteUser serves DELETE .../users/{U} and answers what it was. The user's
// devices stay; their owner is gone.
func (s *server) deleteUser(ctx context.Context, r *request) (*answer, error) {
	var u *models.User
	err := s.untilWritten(ctx, func(ctx context.Context) (err error) {
		if u, err = s.user(ctx, r); err != nil {
			return err
		}
		if err := r.ifMatch(u.Revision); err != nil {
			return err
		}
		return s.Store.DeleteUser(ctx, u)
	})
	if err != nil {
		return nil, err
	}
	return one(u.Meta, s.publicUser(u)), nil
}
