package api

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"dialtone/models"
)

const (
	maxQuickCalls    = 50 // that the list shows
	maxQuickDevices  = 32 // of a user, that ring
	maxDialed        = 64
	maxNumberFilter  = 256
	defaultRing      = 30 * time.Second
	longestRing      = 120 * time.Second
	quickCallName    = "Device QuickCall"
	outcomePatience  = 50 * time.Second // of a POST: answers are cut off after 60 s
	anonymousSetting = "allow_anonymous_quickcalls"
)

// A QuickCall asks for phones to ring, and for the first that is answered to be
// told to call a number.
type QuickCall struct {
	Account      *models.Account
	UserID       string // when all phones of a user ring
	Phones       []*models.Phone
	Number       string // letters, digits and *#+._-, 64 at most
	CallerName   string // shown by the phones that ring
	CallerNumber string // as Number
	AutoAnswer   bool   // ask the only phone to answer by itself
	RingFor      time.Duration
}

var (
	notAlphanumeric = regexp.MustCompile(`[^A-Za-z0-9]`)
	dialable        = regexp.MustCompile(`^[A-Za-z0-9*#+._-]+$`)
)

// quickcallDevice serves .../devices/{D}/quickcall/{NUMBER}.
func (s *server) quickcallDevice(ctx context.Context, r *request) (*answer, error) {
	phone, err := s.phone(ctx, r)
	var own models.Document
	if err == nil {
		own = phone.Device.Document
	}
	if err := s.mayCall(r, own, err); err != nil {
		return nil, err
	}
	return s.quickcall(ctx, r, callee{models.KindDevice, phone.Device.ID, own, []*models.Phone{phone}})
}

// quickcallUser serves .../users/{U}/quickcall/{NUMBER}: all devices that the
// user owns, or is logged in to, ring.
func (s *server) quickcallUser(ctx context.Context, r *request) (*answer, error) {
	user, err := s.user(ctx, r)
	var own models.Document
	if err == nil {
		own = user.Document
	}
	if err := s.mayCall(r, own, err); err != nil {
		return nil, err
	}
	devices, err := s.Store.ListUserDevices(ctx, r.account.ID, user.ID, models.Listing{Limit: maxQuickDevices})
	if err != nil {
		return nil, err
	}
	who := callee{kind: models.KindUser, id: user.ID, document: own}
	for _, d := range devices {
		who.phones = append(who.phones, &models.Phone{Device: d, Account: r.account, Owner: user})
	}
	return s.quickcall(ctx, r, who)
}

// mayCall refuses a request without a token, unless the device or user whose
// document this is says that anybody may call, or the account where it does not.
// What does not exist, which err tells, is refused like the rest.
func (s *server) mayCall(r *request, own models.Document, err error) error {
	if r.actor != nil {
		return err
	}
	if !own.Flag(anonymousSetting, r.account.Document.Flag(anonymousSetting, false)) || s.standing(r.account) != nil {
		return noCredentials()
	}
	return err
}

// A callee is who is called.
type callee struct {
	kind, id string // a device or a user
	document models.Document
	phones   []*models.Phone
}

// quickcall begins a call. GET answers at once, POST when the phone calls the
// number or does not; HEAD only says what GET would.
func (s *server) quickcall(ctx context.Context, r *request, who callee) (*answer, error) {
	call, err := s.readCall(r, who)
	if err != nil {
		return nil, err
	}
	if len(call.Phones) == 0 {
		return nil, notCalled("no device that can be called", nil)
	}
	data := originate(r, who, call)
	if r.verb == http.MethodHead {
		return &answer{status: http.StatusAccepted, data: data}, nil
	}
	err = s.Store.Audit(ctx, models.AuditEntry{AccountID: r.account.ID, Kind: who.kind, ObjectID: who.id, Action: models.ActionCall, Detail: call.Number})
	if err != nil {
		return nil, err
	}
	outcome, err := s.QuickCall(ctx, call)
	if err != nil {
		return nil, err
	}
	patience := outcomePatience
	if r.verb != http.MethodPost {
		patience = 0
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	story := outcome(waiting)
	public := publicQuickCall(&story)
	switch {
	case r.actor == nil: // whoever it is learns nothing about the phones
		return &answer{status: http.StatusAccepted, data: map[string]any{"application_name": data["application_name"], "application_data": data["application_data"]}}, nil
	case r.verb == http.MethodPost && !story.Started() && !story.Finished.IsZero():
		return nil, notCalled(story.Reason, public)
	}
	data["call"] = public
	if r.verb == http.MethodPost && story.Started() {
		return ok(data), nil
	}
	return &answer{status: http.StatusAccepted, data: data}, nil
}

// notCalled is Kazoo's answer to a call that did not come about.
func notCalled(reason string, call map[string]any) error {
	data := detail{"message": "the call did not come about", "error_message": reason}
	if call != nil {
		data["call"] = call
	}
	return &faultError{name: "unspecified_fault", data: data, expected: true}
}

// readCall reads the parameters of a quick call.
func (s *server) readCall(r *request, who callee) (QuickCall, error) {
	call := QuickCall{Account: r.account, RingFor: ringTime(r.parameter("timeout")), AutoAnswer: r.parameter("auto_answer") != "false"}
	if who.kind == models.KindUser {
		call.UserID = who.id
	}
	for _, p := range who.phones {
		if p.AOR() != "" && p.Enabled() {
			call.Phones = append(call.Phones, p)
		}
	}
	call.AutoAnswer = call.AutoAnswer && len(call.Phones) == 1
	var err error
	if call.Number, err = filterNumber(r.params.ByName("number"), r.parameter("number_filter")); err != nil {
		return QuickCall{}, err
	}
	call.CallerName = cmp.Or(r.parameter("cid-name"), quickCallName)
	call.CallerNumber = call.Number
	p := problems{}
	checkDialable(p, "number", call.Number)
	if shown := r.parameter("cid-number"); shown != "" {
		call.CallerNumber = shown
		checkDialable(p, "cid-number", shown)
	}
	if len(call.CallerName) > maxDialed {
		p.add("cid-name", "maxLength", "the name is too long", detail{"target": maxDialed})
	}
	return call, p.err()
}

// filterNumber is the number to call: without what is neither digit nor letter,
// or as it is, or the first group of a regular expression.
func filterNumber(number, filter string) (string, error) {
	switch filter {
	case "", "true":
		return notAlphanumeric.ReplaceAllString(number, ""), nil
	case "false":
		return number, nil
	}
	bad := invalid("number_filter", "pattern", "want true, false or a regular expression with a group", detail{"value": filter})
	if len(filter) > maxNumberFilter { // before it is compiled: that takes up to ten thousand times its length
		return "", bad
	}
	re, err := regexp.Compile(filter)
	if err != nil || re.NumSubexp() < 1 {
		return "", bad
	}
	groups := re.FindStringSubmatch(number)
	if groups == nil {
		return "", invalid("number", "pattern", "the number does not match the filter", detail{"value": number, "target": filter})
	}
	return groups[1], nil
}

func checkDialable(p problems, field, number string) {
	switch {
	case len(number) > maxDialed:
		p.add(field, "maxLength", "the number is too long", detail{"target": maxDialed})
	case !dialable.MatchString(number):
		p.add(field, "pattern", "letters, digits and *#+._- can be called", detail{"target": dialable.String(), "value": number})
	}
}

// ringTime reads whole seconds, more than 3.
func ringTime(text string) time.Duration {
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds <= 3 {
		return defaultRing
	}
	return min(time.Duration(min(seconds, 1000))*time.Second, longestRing)
}

// originate shows a call as Kazoo shows what it asks its switch for.
func originate(r *request, who callee, call QuickCall) map[string]any {
	var endpoints []any
	for _, p := range call.Phones {
		endpoints = append(endpoints, endpoint(p, call))
	}
	media := "process"
	if r.parameter("media") == "bypass" {
		media = "bypass"
	}
	return map[string]any{
		"application_name": "transfer",
		"application_data": map[string]any{"route": call.Number},
		"endpoints":        endpoints,
		"custom_channel_vars": map[string]any{
			"account_id":       r.account.ID,
			"authorizing_id":   who.id,
			"authorizing_type": who.kind,
			"inherit_codec":    false,
			"retain_cid":       r.parameter("cid-number") != "",
		},
		"dial_endpoint_method":      "simultaneous",
		"continue_on_fail":          false,
		"outbound_caller_id_name":   call.CallerName,
		"outbound_caller_id_number": call.CallerNumber,
		"outbound_callee_id_name":   cmp.Or(r.parameter("cid-name"), callerID(who.document, "name")),
		"outbound_callee_id_number": cmp.Or(r.parameter("cid-number"), callerID(who.document, "number")),
		"media":                     media,
		"ignore_early_media":        r.parameter("ignore-early-media") != "false",
		"timeout":                   int(call.RingFor.Seconds()),
	}
}

func endpoint(p *models.Phone, call QuickCall) map[string]any {
	d := p.Device
	codecs := d.Media.Audio.Codecs
	if codecs == nil {
		codecs = []string{}
	}
	return map[string]any{
		"endpoint_id":         d.ID,
		"invite_format":       cmp.Or(d.Document.Text("sip.invite_format"), "username"),
		"to_user":             d.SIP.Username,
		"to_username":         d.SIP.Username,
		"to_realm":            p.Realm(),
		"to_did":              call.Number,
		"codecs":              codecs,
		"presence_id":         d.PresenceID,
		"custom_channel_vars": map[string]any{"auto_answer": call.AutoAnswer},
		"custom_sip_headers":  map[string]any{},
	}
}

// callerID is what a device or user shows to others.
func callerID(doc models.Document, member string) string {
	return cmp.Or(doc.Text("caller_id.internal."+member), doc.Text("caller_id.external."+member))
}

// listDeviceCalls serves GET .../devices/{D}/quickcalls: what became of the
// newest quick calls.
func (s *server) listDeviceCalls(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	return listCalls(s.Store.DeviceQuickCalls(ctx, d.ID, maxQuickCalls))
}

// listUserCalls serves GET .../users/{U}/quickcalls.
func (s *server) listUserCalls(ctx context.Context, r *request) (*answer, error) {
	u, err := s.user(ctx, r)
	if err != nil {
		return nil, err
	}
	return listCalls(s.Store.UserQuickCalls(ctx, u.ID, maxQuickCalls))
}

func listCalls(calls []models.QuickCall, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	out := make([]any, len(calls))
	for i := range calls {
		out[i] = publicQuickCall(&calls[i])
	}
	return listed(out, nil), nil
}

func publicQuickCall(c *models.QuickCall) map[string]any {
	out := map[string]any{
		"id":       c.ID,
		"number":   c.Number,
		"contact":  c.Contact,
		"state":    c.State,
		"code":     c.Code,
		"reason":   c.Reason,
		"created":  isoTime(c.Created),
		"answered": isoTime(c.Answered),
		"finished": isoTime(c.Finished),
	}
	if c.DeviceID != "" {
		out["device_id"] = c.DeviceID
	}
	if c.UserID != "" {
		out["user_id"] = c.UserID
	}
	return out
}
