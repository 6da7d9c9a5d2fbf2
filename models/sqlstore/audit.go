package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"gorm.io/gorm"

	"dialtone/models"
)

type auditRow struct {
	ID             int64 `gorm:"primaryKey"`
	AccountID      string
	Kind           string
	ObjectID       string
	Action         string
	ActorAccountID *string
	ActorUserID    *string
	AsAccountID    *string
	AsUserID       *string
	Via            string
	Source         string
	RequestID      string
	Revision       string
	Detail         string
	Changes        string // JSON list of models.Change
	Truncated      bool
	Document       *string // masked JSON
	Recorded       int64
}

func (auditRow) TableName() string { return "audit" }

// An audited is a document as the audit sees it: with the secrets that live
// beside it under a member's name, so that their change shows.
type audited struct {
	account, kind, id string
	revision          string
	document          models.Document
}

func auditedAccount(a *models.Account) *audited {
	return &audited{a.ID, models.KindAccount, a.ID, a.Revision, a.Document}
}

func auditedUser(u *models.User) *audited {
	doc := u.Document
	if u.MD5Auth != "" {
		doc = doc.Clone()
		doc["password"] = u.MD5Auth.Reveal() // masked before it is stored
	}
	return &audited{u.AccountID, models.KindUser, u.ID, u.Revision, doc}
}

func auditedDevice(d *models.Device) *audited {
	return &audited{d.AccountID, models.KindDevice, d.ID, d.Revision, d.Document}
}

// audited is a document in the audit of an account. Its secrets stay sealed, since
// they are masked in any case: thousands may go at once.
func (d storedDocument) audited(account, kind string) (*audited, error) {
	doc, err := models.ParseDocument([]byte(d.Document))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, d.ID, err)
	}
	if hash, has := doc[privateMD5]; has {
		doc["password"] = hash
	}
	maps.DeleteFunc(doc, func(name string, _ any) bool { return strings.HasPrefix(name, "pvt_") })
	return &audited{account, kind, d.ID, d.Revision, doc}, nil
}

// created, updated and deleted are the entries of the three kinds of writes.
func created(after *audited) models.AuditEntry {
	return after.entry(models.ActionCreate, models.Document{}, after.document)
}

func updated(before, after *audited) models.AuditEntry {
	return after.entry(models.ActionUpdate, before.document, after.document)
}

func deleted(before *audited) models.AuditEntry {
	e := before.entry(models.ActionDelete, nil, nil)
	e.Document, e.Truncated = before.document.LastState()
	return e
}

// keyChange is the entry of an API key that was replaced.
func keyChange(accountID, revision string) models.AuditEntry {
	return secretChange(&audited{account: accountID, kind: models.KindAccount, id: accountID, revision: revision}, "api_key")
}

// secretChange is the entry of a secret that was replaced.
func secretChange(a *audited, name string) models.AuditEntry {
	e := a.entry(models.ActionUpdate, nil, nil)
	e.Changes = []models.Change{{Path: name, From: "REDACTED", To: "REDACTED"}}
	return e
}

func (a *audited) entry(action string, from, to models.Document) models.AuditEntry {
	e := models.AuditEntry{AccountID: a.account, Kind: a.kind, ObjectID: a.id, Action: action, Revision: a.revision}
	e.Changes, e.Truncated = models.Changes(from, to)
	return e
}

// audit writes an entry in the transaction of the change that it describes.
func (s *Store) audit(ctx context.Context, tx *gorm.DB, e models.AuditEntry) error {
	row, err := s.auditRow(ctx, e)
	if err != nil {
		return err
	}
	return tx.Create(&row).Error
}

// insertAudit writes entries in the transaction of the changes that they
// describe.
func insertAudit(tx *gorm.DB, entries []auditRow) error {
	for part := range batches(entries, auditRow.bytes) {
		var values []any
		for _, row := range part {
			values = append(values, row.values()...)
		}
		if err := createAudit.rows(tx, values); err != nil {
			return err
		}
	}
	return nil
}

// bytes are about what a row takes in a statement.
func (row auditRow) bytes() int { return len(row.Changes) + len(text(row.Document)) }

// Audit writes down what changed no document, such as showing secrets.
func (s *Store) Audit(ctx context.Context, e models.AuditEntry) error {
	return storeErr("audit", s.audit(ctx, s.writer.WithContext(ctx), e))
}

func (s *Store) auditRow(ctx context.Context, e models.AuditEntry) (auditRow, error) {
	actor := models.ActorOf(ctx)
	row := auditRow{
		AccountID:      e.AccountID,
		Kind:           e.Kind,
		ObjectID:       e.ObjectID,
		Action:         e.Action,
		ActorAccountID: optional(actor.AccountID),
		ActorUserID:    optional(actor.UserID),
		AsAccountID:    optional(actor.AsAccountID),
		AsUserID:       optional(actor.AsUserID),
		Via:            clip(actor.Via, 8),
		Source:         clip(actor.Source, 64),
		RequestID:      clip(actor.RequestID, 128),
		Revision:       e.Revision,
		Detail:         clip(e.Detail, 255),
		Truncated:      e.Truncated,
		Recorded:       millis(s.now()),
	}
	if e.Changes == nil {
		e.Changes = []models.Change{}
	}
	changes, err := json.Marshal(e.Changes)
	if err != nil {
		return row, fmt.Errorf("%w audit entry: %w", models.ErrInvalid, err)
	}
	row.Changes = string(changes)
	if e.Document != nil {
		state, err := encode(e.Document)
		if err != nil {
			return row, err
		}
		row.Document = &state
	}
	return row, nil
}

// AuditEntries lists the entries of an account, or those of one of its objects
// when objectID is not empty, the newest first, from the one that is older
// than before (nil: the newest).
func (s *Store) AuditEntries(ctx context.Context, accountID, objectID string, before *models.AuditEntry, limit int) ([]models.AuditEntry, error) {
	query := s.db.WithContext(ctx).Where("account_id = ?", accountID)
	if objectID != "" {
		query = query.Where("object_id = ?", objectID)
	}
	if before != nil {
		at := millis(before.At)
		query = query.Where("recorded < ? OR (recorded = ? AND id < ?)", at, at, before.ID)
	}
	var rows []auditRow
	if err := query.Order("recorded DESC, id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, storeErr("audit entries", err)
	}
	return convert(rows, auditEntry)
}

// changed is said as the index does that leaves out what was created, such as the
// devices of an import.
const changed = "action IN ('" + models.ActionUpdate + "', '" + models.ActionDelete + "')"

// ChangesSince lists, in no order, which documents were changed or deleted at
// that time or later, by any server.
func (s *Store) ChangesSince(ctx context.Context, since time.Time) ([]models.ObjectChange, error) {
	var changes []models.ObjectChange
	err := s.db.WithContext(ctx).Model(&auditRow{}).Select("id, object_id").
		Where("recorded >= ? AND kind IN ? AND "+changed, millis(since), []string{models.KindAccount, models.KindUser, models.KindDevice}).
		Find(&changes).Error
	return changes, storeErr("changes", err)
}

func auditEntry(row auditRow) (models.AuditEntry, error) {
	e := models.AuditEntry{
		ID:        row.ID,
		AccountID: row.AccountID,
		Kind:      row.Kind,
		ObjectID:  row.ObjectID,
		Action:    row.Action,
		Actor: models.Actor{
			AccountID:   text(row.ActorAccountID),
			UserID:      text(row.ActorUserID),
			AsAccountID: text(row.AsAccountID),
			AsUserID:    text(row.AsUserID),
			Via:         row.Via,
			Source:      row.Source,
			RequestID:   row.RequestID,
		},
		Revision:  row.Revision,
		Detail:    row.Detail,
		Truncated: row.Truncated,
		At:        fromMillis(row.Recorded),
	}
	// Numbers stay as they were written.
	list, err := models.ParseDocument([]byte(`{"changes":` + row.Changes + `}`))
	if err != nil {
		return e, fmt.Errorf("audit entry %d: %w", row.ID, err)
	}
	e.Changes = auditChanges(list["changes"])
	if row.Document != nil {
		if e.Document, err = models.ParseDocument([]byte(*row.Document)); err != nil {
			return e, fmt.Errorf("audit entry %d: %w", row.ID, err)
		}
	}
	return e, nil
}

func auditChanges(list any) []models.Change {
	items, _ := list.([]any)
	changes := make([]models.Change, 0, len(items))
	for _, item := range items {
		member, _ := item.(map[string]any)
		path, _ := member["path"].(string)
		changes = append(changes, models.Change{Path: path, From: member["from"], To: member["to"]})
	}
	return changes
}
