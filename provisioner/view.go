package provisioner

import (
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"dialtone/models"
)

// A view is what a template sees: maps, slices, strings, ints and bools, every
// string escaped for the file's format. docs/templates.md describes it.
type view = map[string]any

// viewMembers are the variables of a view with their members; nil where the
// members are those of a document or a list.
var viewMembers = map[string][]string{
	"device":  nil,
	"account": nil,
	"owner":   nil,
	"lines":   nil,
	"codecs":  {"on", "off"},
	"time":    {"zone", "offset", "offset_text", "dst", "start", "stop", "saving", "ntp_server"},
	"keys":    {"combo", "feature", "line"},
	"server":  {"url", "scheme", "host", "username", "password"},
	"model":   nil,

	"language": {},
}

// modelMembers are the members of model that are not attributes.
var modelMembers = []string{"brand", "family", "name", "label", "lines", "line_keys"}

// server is where a phone fetches its files, and as whom.
type server struct {
	URL      string // ends in "/"
	Username string // "" in common files
	Password models.Secret
}

// viewInput is everything a view is made of.
type viewInput struct {
	brand    *brand
	model    Model
	settings settings
	account  *models.Account
	owner    *models.User   // nil: none
	device   *models.Device // nil: a common file
	server   server
	now      time.Time
}

// newView lays out the input for templates and escapes it.
func newView(in viewInput, escape func(string) string) view {
	v := view{
		"device":   in.deviceView(),
		"account":  documentView(in.account.ID, in.account.Document),
		"owner":    in.ownerView(),
		"lines":    in.linesView(),
		"codecs":   in.codecsView(),
		"time":     in.timeView(),
		"language": in.brand.language(in.settings.Language),
		"keys":     in.keysView(),
		"server":   in.serverView(),
		"model":    in.modelView(),
	}
	return escapeValue(v, escape).(view)
}

// escapeValue escapes every string and turns JSON numbers into ints. Names of
// members are escaped as well: they come from documents too.
func escapeValue(v any, escape func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[escape(name)] = escapeValue(member, escape)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, member := range v {
			out[i] = escapeValue(member, escape)
		}
		return out
	case string:
		return escape(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		return escape(v.String())
	}
	return v // nil, bool, int
}

// secretMembers hold secrets: what a template needs of them is in lines and
// server.
var secretMembers = []string{"sip.password", "password", "api_key", "pvt_api_key"}

// documentView is a document without its secrets.
func documentView(id string, doc models.Document) view {
	out := doc.Clone()
	for _, member := range secretMembers {
		out.Delete(member)
	}
	out["id"] = id
	return out
}

// deviceView is the device with the layers below it.
func (in viewInput) deviceView() view {
	if in.device == nil {
		return view{}
	}
	out := documentView(in.device.ID, in.settings.document)
	out["mac"] = ""
	if mac, ok := in.device.MAC(); ok {
		out["mac"] = mac.String()
	}
	return out
}

func (in viewInput) ownerView() view {
	if in.owner == nil {
		return view{}
	}
	out := documentView(in.owner.ID, in.owner.Document)
	out["label"] = in.owner.Label()
	return out
}

func (in viewInput) linesView() []any {
	lines := []any{}
	for i, l := range in.settings.lines {
		lines = append(lines, view{
			"number":       i + 1,
			"enabled":      l.Enabled,
			"username":     l.Username,
			"password":     l.Password.Reveal(),
			"realm":        l.Realm,
			"display_name": l.DisplayName,
			"label":        l.Label,
			"proxy":        l.Proxy,
			"proxy_port":   l.ProxyPort,
			"outbound":     l.Proxy != l.Realm,
			"transport":    in.brand.Transports[l.Transport],
			"expires":      l.Expires,
			"srtp":         l.SRTP,
		})
	}
	return lines
}

func (in viewInput) codecsView() view {
	on, off := in.brand.selectCodecs(in.settings.Media.Audio.Codecs)
	selected, rest := []any{}, []any{}
	for i, code := range on {
		selected = append(selected, view{"code": code, "priority": i + 1})
	}
	for _, code := range off {
		rest = append(rest, view{"code": code})
	}
	return view{"on": selected, "off": rest}
}

func (in viewInput) timeView() view {
	loc, ok := loadZone(in.settings.Timezone)
	if !ok {
		loc = time.UTC
	}
	rule := zoneRuleAt(loc, in.now)
	return view{
		"zone":        rule.Name,
		"offset":      rule.Offset,
		"offset_text": offsetText(rule.Offset),
		"dst":         rule.DST,
		"start":       rule.Start.view(),
		"stop":        rule.Stop.view(),
		"saving":      rule.Saving,
		"ntp_server":  in.settings.document.Text("ntp_server"),
	}
}

func (r changeRule) view() view {
	return view{"month": r.Month, "week": r.Week, "weekday": r.Weekday, "hour": r.Hour, "minute": r.Minute}
}

func (in viewInput) keysView() view {
	s, rules := in.settings, in.brand.Keys
	physical := []any{}
	if in.device != nil {
		for _, k := range rules.placeKeys(s.combos, s.features, in.model.LineKeys) {
			physical = append(physical, view{"position": k.Position, "type": k.Type, "code": k.Code,
				"value": k.Value, "label": k.Label, "nth": k.Nth})
		}
	}
	return view{"combo": rules.Combo.view(s.combos), "feature": rules.Feature.view(s.features), "line": physical}
}

func (r KeyRule) view(keys []key) []any {
	out := []any{}
	for _, k := range keys {
		out = append(out, view{"number": k.Number, "position": r.First + k.Number, "type": k.Type, "code": r.Codes[k.Type],
			"value": k.Value, "label": k.Label})
	}
	return out
}

func (in viewInput) serverView() view {
	out := view{"url": in.server.URL, "scheme": "", "host": "", "username": in.server.Username, "password": in.server.Password.Reveal()}
	if u, err := url.Parse(in.server.URL); err == nil {
		out["scheme"], out["host"] = u.Scheme, u.Host
	}
	return out
}

func (in viewInput) modelView() view {
	m := in.model
	out := view{"brand": m.Brand, "family": m.Family, "name": m.Name, "label": m.Label, "lines": m.Lines, "line_keys": m.LineKeys}
	for name, value := range m.Attributes {
		if !slices.Contains(modelMembers, name) {
			out[name] = value
		}
	}
	return out
}
