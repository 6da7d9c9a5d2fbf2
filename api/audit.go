package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dialtone/models"
)

// actingAs is who the request's writes are put down to: who logged in, whomever
// the token acts as.
func (r *request) actingAs() models.Actor {
	a := models.Actor{Via: models.ViaAPI, RequestID: r.id}
	if r.source.IsValid() {
		a.Source = r.source.Unmap().String()
	}
	if r.login == nil {
		return a
	}
	a.AccountID, a.UserID = r.login.LoginAccountID, r.login.LoginOwnerID
	if r.login.Impersonates() {
		a.AsAccountID, a.AsUserID = r.login.AccountID, r.login.OwnerID
	}
	return a
}

// accountAudit serves GET .../accounts/{A}/audit: what was done to the account
// and everything in it, the newest first.
func (s *server) accountAudit(ctx context.Context, r *request) (*answer, error) {
	return s.listAudit(ctx, r, "")
}

// deviceAudit serves GET .../devices/{D}/audit, also of a deleted device.
func (s *server) deviceAudit(ctx context.Context, r *request) (*answer, error) {
	id, err := r.pathID("device")
	if err != nil {
		return nil, err
	}
	a, err := s.listAudit(ctx, r, id)
	if err != nil || a.page.count > 0 || a.page.start != "" {
		return a, err
	}
	_, err = s.device(ctx, r) // nothing was ever done to it: is there one?
	return a, err
}

func (s *server) listAudit(ctx context.Context, r *request, objectID string) (*answer, error) {
	size, err := r.pageSize()
	if err != nil {
		return nil, err
	}
	start := r.parameter("start_key")
	before, err := openAuditKey(start)
	if err != nil {
		return nil, err
	}
	stored, err := s.Store.AuditEntries(ctx, r.account.ID, objectID, before, size+1)
	if err != nil {
		return nil, err
	}
	p := &page{start: start, count: min(len(stored), size)}
	if len(stored) > size {
		p.next = auditKey(stored[size-1])
	}
	entries := make([]any, p.count)
	for i := range entries {
		entries[i] = publicAudit(stored[i])
	}
	return listed(entries, p), nil
}

// auditKey names the entry that a page starts after.
func auditKey(e models.AuditEntry) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", e.At.UnixMilli(), e.ID))
}

func openAuditKey(key string) (*models.AuditEntry, error) {
	if key == "" {
		return nil, nil //nolint:nilnil // no key: the newest entries
	}
	raw, err := base64.RawURLEncoding.DecodeString(key)
	at, id, _ := strings.Cut(string(raw), ".")
	ms, atErr := strconv.ParseInt(at, 10, 64)
	number, idErr := strconv.ParseInt(id, 10, 64)
	if err != nil || atErr != nil || idErr != nil {
		return nil, badStartKey()
	}
	return &models.AuditEntry{ID: number, At: time.UnixMilli(ms)}, nil
}

func publicAudit(e models.AuditEntry) map[string]any {
	actor := map[string]any{
		"account_id": e.Actor.AccountID,
		"user_id":    e.Actor.UserID,
		"as":         nil,
		"via":        e.Actor.Via,
		"source":     e.Actor.Source,
	}
	if e.Actor.AsAccountID != "" {
		actor["as"] = map[string]any{"account_id": e.Actor.AsAccountID, "user_id": e.Actor.AsUserID}
	}
	out := map[string]any{
		"id":          strconv.FormatInt(e.ID, 10),
		"time":        e.At.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		"action":      e.Action,
		"object_type": e.Kind,
		"object_id":   e.ObjectID,
		"account_id":  e.AccountID,
		"actor":       actor,
		"request_id":  e.Actor.RequestID,
		"revision":    e.Revision,
		"detail":      e.Detail,
		"changes":     e.Changes,
		"truncated":   e.Truncated,
	}
	if e.Document != nil {
		out["document"] = publicDocument(e.Document, e.ObjectID)
	}
	return out
}
