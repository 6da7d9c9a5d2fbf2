package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
)

// canaryStop is the stop_above of a job with a canary that names none.
const canaryStop = 20

// createSync serves PUT .../syncs. A server takes the job up within a second.
func (s *server) createSync(ctx context.Context, r *request) (*answer, error) {
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	j, err := s.newSyncJob(ctx, r.account, doc)
	if err != nil {
		return nil, err
	}
	err = s.Store.CreateSyncJob(ctx, j)
	if errors.Is(err, models.ErrQuota) {
		return nil, fault("too_many_requests", "the account has too many jobs that have not ended")
	}
	if err != nil {
		return nil, err
	}
	return created(models.Meta{}, r.path+"/"+j.ID, publicSyncJob(j, models.SyncCounts{})), nil
}

// NewSyncJob makes the job that a document asks for, under the rules of
// PUT .../syncs. It stores nothing.
func NewSyncJob(ctx context.Context, store Store, account *models.Account, doc models.Document) (*models.SyncJob, error) {
	rules, err := newRules(store)
	if err != nil {
		return nil, err
	}
	j, err := rules.newSyncJob(ctx, account, doc)
	var rejected *validationError
	if errors.As(err, &rejected) {
		return nil, rejected.problems.readable()
	}
	return j, err
}

func (s rules) newSyncJob(ctx context.Context, account *models.Account, doc models.Document) (*models.SyncJob, error) {
	if err := s.schemas["syncs"].settle(doc).err(); err != nil {
		return nil, err
	}
	full := s.schemas["syncs"].completed(doc)
	j := &models.SyncJob{
		AccountID: account.ID,
		Event:     full.Text("event"),
		Mode:      string(modeOf(full["reboot"])),
		Rate:      whole(full["rate"]),
		Canary:    whole(full["canary"]),
		Patience:  time.Duration(whole(full["patience"])) * time.Second,
		ComeBack:  full.Text("come_back"),
		Filter: models.SyncFilter{
			Brand: full.Text("filter.brand"), Family: full.Text("filter.family"), Model: full.Text("filter.model"), OwnerID: full.Text("filter.owner_id"),
		},
	}
	behind, _ := full.Lookup("filter.behind")
	j.Filter.Behind = behind == true
	stop, named := full["stop_above"]
	if !named && j.Canary > 0 {
		stop, named = json.Number(strconv.Itoa(canaryStop)), true
	}
	if named && stop != nil {
		percent := whole(stop)
		j.StopAbove = &percent
	}
	var err error
	j.Filter.Devices, err = s.devicesNamed(ctx, account, full)
	return j, err
}

// devicesNamed are the ids of filter.devices, each once, which must be devices
// of the account.
func (s rules) devicesNamed(ctx context.Context, account *models.Account, doc models.Document) ([]string, error) {
	listed, _ := doc.Lookup("filter.devices")
	list, _ := listed.([]any)
	ids := make([]string, len(list))
	for i, v := range list {
		ids[i], _ = v.(string) // by the schema
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil, nil
	}
	there, err := s.store.DevicesThere(ctx, account.ID, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !there[id] {
			return nil, invalid("filter.devices", "not_found", "no such device in the account", detail{"value": id, "cause": id})
		}
	}
	return ids, nil
}

// modeOf is the mode of a check-sync that "reboot" asks for.
func modeOf(reboot any) provisioner.SyncMode {
	switch reboot {
	case true:
		return provisioner.SyncReboot
	case false:
		return provisioner.SyncReload
	}
	return provisioner.SyncPlain
}

// whole is a number that a schema has found to be an integer.
func whole(v any) int {
	n, _ := strconv.Atoi(fmt.Sprint(v))
	return n
}

// listSyncs serves GET .../syncs, the newest first.
func (s *server) listSyncs(ctx context.Context, r *request) (*answer, error) {
	size, err := r.pageSize()
	if err != nil {
		return nil, err
	}
	start := r.parameter("start_key")
	before, err := openSyncKey(start)
	if err != nil {
		return nil, err
	}
	jobs, err := s.Store.SyncJobs(ctx, r.account.ID, before, size+1)
	if err != nil {
		return nil, err
	}
	p := &page{start: start, count: min(len(jobs), size)}
	if len(jobs) > size {
		p.next = syncKey(jobs[size-1])
	}
	entries := make([]any, p.count)
	for i := range entries {
		entries[i] = summarizedSyncJob(jobs[i])
	}
	return listed(entries, p), nil
}

// syncKey names the job that a page starts after.
func syncKey(j *models.SyncJob) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", j.Created.UnixMilli(), j.ID))
}

func openSyncKey(key string) (*models.SyncJob, error) {
	if key == "" {
		return nil, nil //nolint:nilnil // no key: the newest jobs
	}
	raw, err := base64.RawURLEncoding.DecodeString(key)
	at, id, _ := strings.Cut(string(raw), ".")
	ms, atErr := strconv.ParseInt(at, 10, 64)
	if err != nil || atErr != nil || !models.ValidID(id) {
		return nil, badStartKey()
	}
	return &models.SyncJob{ID: id, Created: time.UnixMilli(ms)}, nil
}

// showSync serves GET .../syncs/{J}.
func (s *server) showSync(ctx context.Context, r *request) (*answer, error) {
	j, err := s.syncJob(ctx, r)
	if err != nil {
		return nil, err
	}
	counts, err := s.Store.SyncCounts(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	return ok(publicSyncJob(j, counts)), nil
}

// syncJob reads the job that the path names.
func (s *server) syncJob(ctx context.Context, r *request) (*models.SyncJob, error) {
	id, err := r.pathID("sync")
	if err != nil {
		return nil, err
	}
	j, err := s.Store.SyncJob(ctx, r.account.ID, id)
	return j, notFound(err, id)
}

// changeSync serves PATCH .../syncs/{J}: pause, resume, cancel, another rate.
func (s *server) changeSync(ctx context.Context, r *request) (*answer, error) {
	named, err := s.syncJob(ctx, r)
	if err != nil {
		return nil, err
	}
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	if err := s.schemas["sync_change"].settle(doc).err(); err != nil {
		return nil, err
	}
	var counts models.SyncCounts
	j, err := s.Store.ChangeSyncJob(ctx, r.account.ID, named.ID, func(j *models.SyncJob, stand models.SyncCounts) error {
		counts = stand
		if j.Ended() {
			return invalid("state", "invalid", "the job is "+j.State+": nothing changes it any more", detail{"value": j.State})
		}
		if n, named := doc["rate"]; named {
			j.Rate = whole(n)
		}
		if state := doc.Text("state"); state != "" {
			j.Become(state, stand, s.Now().UTC())
		}
		return nil
	})
	if err != nil {
		return nil, notFound(err, named.ID)
	}
	return ok(publicSyncJob(j, counts)), nil
}

// listSyncItems serves GET .../syncs/{J}/items, by device id.
func (s *server) listSyncItems(ctx context.Context, r *request) (*answer, error) {
	j, err := s.syncJob(ctx, r)
	if err != nil {
		return nil, err
	}
	state := r.parameter("state")
	if state != "" && !slices.Contains(models.ItemStates, state) {
		return nil, invalid("state", "enum", "not in the list of allowed values", detail{"target": models.ItemStates, "value": state})
	}
	part, err := r.listing()
	if err != nil {
		return nil, err
	}
	items, err := s.Store.SyncItems(ctx, j.ID, state, part.After, part.Limit+1)
	if err != nil {
		return nil, err
	}
	p := &page{start: r.parameter("start_key"), count: min(len(items), part.Limit)}
	if len(items) > part.Limit {
		p.next = startKey(items[part.Limit-1].DeviceID)
	}
	entries := make([]any, p.count)
	for i := range entries {
		entries[i] = publicSyncItem(items[i])
	}
	return listed(entries, p), nil
}

// summarizedSyncJob is a job in a list.
func summarizedSyncJob(j *models.SyncJob) map[string]any {
	filter := map[string]any{}
	for name, value := range map[string]string{
		"brand": j.Filter.Brand, "family": j.Filter.Family, "model": j.Filter.Model, "owner_id": j.Filter.OwnerID,
	} {
		if value != "" {
			filter[name] = value
		}
	}
	if j.Filter.Behind {
		filter["behind"] = true
	}
	if n := len(j.Filter.Devices); n > 0 {
		filter["devices"] = n
	}
	out := map[string]any{
		"id":         j.ID,
		"filter":     filter,
		"event":      j.Event,
		"reboot":     nil,
		"rate":       j.Rate,
		"canary":     j.Canary,
		"stop_above": nil,
		"patience":   int(j.Patience.Seconds()),
		"come_back":  j.ComeBack,
		"state":      j.State,
		"reason":     j.Reason,
		"created":    isoTime(j.Created),
		"finished":   isoTime(j.Finished),
	}
	if j.Mode != "" {
		out["reboot"] = j.Mode == string(provisioner.SyncReboot)
	}
	if j.StopAbove != nil {
		out["stop_above"] = *j.StopAbove
	}
	return out
}

// publicSyncJob is a job with how its devices stand.
func publicSyncJob(j *models.SyncJob, counts models.SyncCounts) map[string]any {
	byState := map[string]any{}
	for _, state := range models.ItemStates {
		byState[state] = counts[state]
	}
	out := summarizedSyncJob(j)
	out["counts"] = byState
	out["total"] = counts.Total()
	out["progress"] = counts.Progress()
	return out
}

func publicSyncItem(i models.SyncItem) map[string]any {
	return map[string]any{
		"device_id":       i.DeviceID,
		"state":           i.State,
		"reason":          i.Reason,
		"told":            isoTime(i.Told),
		"fetched":         isoTime(i.Fetched),
		"registered":      isoTime(i.Registered),
		"came_back_after": cameBackAfter(i.Claimed, i.Fetched, i.Registered),
	}
}
