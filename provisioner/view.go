package provisioner

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"dialtone/models"
)

// A view is what a template sees: maps, slices, strings, ints and bools, every
// string escaped for the file's format. variables.go describes it.
type view = map[string]any

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
	firmware string // version that the phone has, "" = not known

	phonebook []phonebookEntry // only for files with the phonebook in them

	reads  []string // set by newView, as the next: variables of a template
	placed []lineKey
	escape func(string) string // of the file's format
}

// newView lays out those parts of the input that a template reads, and escapes
// them.
func newView(in viewInput, reads []string, escape func(string) string) view {
	in.reads, in.placed, in.escape = reads, in.placedKeys(), escape
	v := view{}
	for _, read := range reads {
		name, _, _ := strings.Cut(read, ".")
		if _, made := v[name]; made {
			continue
		}
		v[name] = viewParts[name](in)
		if name != keysPart {
			v[name] = escapeValue(v[name], escape)
		}
	}
	return v
}

// keysPart is the one part that comes escaped: there may be hundreds of keys,
// and to walk over them again would take as long as all else.
const keysPart = "keys"

// viewParts make what a view can have, by its name.
var viewParts = map[string]func(viewInput) any{
	"device":       func(in viewInput) any { return in.deviceView() },
	"account":      func(in viewInput) any { return in.documentView("account", in.account.ID, in.account.Document) },
	"owner":        func(in viewInput) any { return in.ownerView() },
	"lines":        func(in viewInput) any { return in.linesView() },
	"unused_lines": func(in viewInput) any { return in.unusedLinesView() },
	"codecs":       func(in viewInput) any { return in.codecsView(in.settings.document) },
	"video_codecs": func(in viewInput) any { return in.videoCodecsView(in.settings.document) },
	"time":         func(in viewInput) any { return in.timeView() },
	"language":     func(in viewInput) any { return in.brand.language(in.settings.document.Text("language")) },
	keysPart:       func(in viewInput) any { return in.keysView() },
	"codes":        func(in viewInput) any { return in.codesView() },
	"server":       func(in viewInput) any { return in.serverView() },
	"model":        func(in viewInput) any { return in.modelView() },
	"phone":        func(in viewInput) any { return in.phoneView() },
	"phonebook":    func(in viewInput) any { return in.phonebookView() },
	"security":     func(in viewInput) any { return in.securityView() },
	"web":          func(in viewInput) any { return in.webView() },
	"logs":         func(in viewInput) any { return in.logsView() },
	"network":      func(in viewInput) any { return in.networkView() },
	"dialplan":     func(in viewInput) any { return in.dialplanView() },
	"firmware":     func(in viewInput) any { return in.firmwareView() },
	"assets":       func(in viewInput) any { return in.assetsView() },
}

// escapeValue escapes every string and turns JSON numbers into ints, in place.
// Names of members are escaped as well: they come from documents too.
func escapeValue(v any, escape func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		return escapeObject(v, escape)
	case []any:
		for i, member := range v {
			v[i] = escapeValue(member, escape)
		}
		return v
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

func escapeObject(object map[string]any, escape func(string) string) map[string]any {
	var renamed map[string]any
	for name, member := range object {
		switch member.(type) {
		case string, json.Number:
			if escaped := escapeValue(member, escape); escaped != member {
				object[name] = escaped
			}
		default:
			escapeValue(member, escape) // in place
		}
		if escaped := escape(name); escaped != name {
			if renamed == nil {
				renamed = map[string]any{}
			}
			renamed[escaped] = object[name]
			delete(object, name)
		}
	}
	maps.Copy(object, renamed)
	return object
}

// secretMembers hold secrets: what a template needs of them is in lines, server
// and security.
var secretMembers = []string{"sip.password", "password", "api_key", "pvt_api_key", "provision.admin_password", "provision.user_password"}

// documentView is what of a document a template reads, without its secrets:
// most read little, and documents are large.
func (in viewInput) documentView(part, id string, doc models.Document) view {
	out := doc.Pick(in.readsOf(part))
	for _, member := range secretMembers {
		out.Delete(member)
	}
	out["id"] = id
	return out
}

// readsOf are the paths that a template reads of a part; "" is all of it.
func (in viewInput) readsOf(part string) []string {
	var paths []string
	for _, read := range in.reads {
		if name, path, _ := strings.Cut(read, "."); name == part {
			paths = append(paths, path)
		}
	}
	return paths
}

// deviceView is the device with the layers below it.
func (in viewInput) deviceView() view {
	if in.device == nil {
		return view{}
	}
	out := in.documentView("device", in.device.ID, in.settings.document)
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
	out := in.documentView("owner", in.owner.ID, in.owner.Document)
	out["label"] = in.owner.Label()
	return out
}

func (in viewInput) linesView() []any {
	lineKeys := map[int]int{} // by line
	for _, k := range in.placed {
		if k.Type == models.KeyLine {
			lineKeys[k.Line]++
		}
	}
	lines := []any{}
	var profiles []line // the first line of each
	for _, l := range in.settings.lines {
		v := in.lineView(l)
		v["keys"] = lineKeys[l.Number]
		i := slices.IndexFunc(profiles, l.sameServers)
		if v["profile_first"] = i < 0; i < 0 {
			i, profiles = len(profiles), append(profiles, l)
		}
		v["profile"] = i + 1
		lines = append(lines, v)
	}
	return lines
}

// unusedLinesView are the numbers of the model's lines that the phone does not
// have: what was set there before has to go.
func (in viewInput) unusedLinesView() []any {
	numbers := []any{}
	for n := 1; n <= in.model.Lines && in.device != nil; n++ {
		if !slices.ContainsFunc(in.settings.lines, func(l line) bool { return l.Number == n }) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func (in viewInput) lineView(l line) view {
	transport, first := in.brand.Transports[l.Transport], l.Servers[0]
	return view{
		"number":            l.Number,
		"device_id":         l.DeviceID,
		"enabled":           l.Enabled,
		"username":          l.Username,
		"auth_name":         l.Username,
		"password":          l.Password.Reveal(),
		"realm":             l.Realm,
		"display_name":      l.DisplayName,
		"label":             l.Label,
		"presence_id":       l.PresenceID,
		"caller_id_name":    l.callerID("name"),
		"caller_id_number":  l.callerID("number"),
		"proxy":             first.Host,
		"proxy_port":        first.Port,
		"outbound":          first.Host != l.Realm,
		"servers":           serversView(l.Servers, transport),
		"transport":         transport,
		"expires":           l.Expires,
		"keep_alive":        number(l.document, "provision.keep_alive", 0, 3600, 30),
		"srtp":              l.SRTP,
		"codecs":            in.codecsView(l.document),
		"video_codecs":      in.videoCodecsView(l.document),
		"dtmf":              choice(l.document, "provision.dtmf", "rfc2833", "info", "inband"),
		"dnd":               l.document.Flag("do_not_disturb.enabled", false),
		"call_waiting":      l.document.Flag("call_waiting.enabled", true),
		"forward":           l.forwardView(),
		"auto_answer":       l.document.Flag("provision.auto_answer", false),
		"shared":            l.document.Flag("provision.shared_line", false),
		"ringtone_internal": l.document.Text("ringtones.internal"),
		"ringtone_external": l.document.Text("ringtones.external"),
		"music_on_hold":     l.musicOnHold(),
		"voicemail_number":  text(l.document, "provision.voicemail_number", "*97"),
		"mwi_subscribe":     !l.document.Flag("mwi_unsolicited_updates", true),
	}
}

func serversView(servers []sipServer, transport string) []any {
	list := []any{}
	for i, s := range servers {
		list = append(list, view{"host": s.Host, "port": s.Port, "address": s.String(), "transport": transport, "nth": i + 1})
	}
	return list
}

// forwardView is where calls of the line go instead. Forwarding wins over the
// fail-over, which is for a phone that cannot be reached: only the switch can
// do that.
func (l line) forwardView() view {
	to := l.document.Text("call_forward.number")
	busy, noAnswer := l.document.Text("provision.forward.busy"), l.document.Text("provision.forward.no_answer")
	always := l.document.Flag("call_forward.enabled", false)
	failover := l.document.Flag("call_forward.failover", false)
	return view{
		"always":           always && to != "",
		"offline":          failover && !always && to != "",
		"number":           to,
		"busy":             busy != "",
		"busy_number":      busy,
		"no_answer":        noAnswer != "",
		"no_answer_number": noAnswer,
		"timeout":          number(l.document, "provision.forward.timeout", 1, 180, 20),
	}
}

// codecsView is what of the brand's audio codecs a document switches on and off.
func (in viewInput) codecsView(doc models.Document) view {
	return onOffView(in.brand.selectCodecs(doc.Texts("media.audio.codecs")))
}

func (in viewInput) videoCodecsView(doc models.Document) view {
	return onOffView(in.brand.selectVideoCodecs(doc.Texts("media.video.codecs")))
}

func onOffView(on, off []string) view {
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
	doc := in.settings.document
	loc, ok := loadZone(doc.Text("timezone"))
	if !ok {
		loc = time.UTC
	}
	rule := zoneRuleAt(loc, in.now)
	_, today := in.now.In(loc).Zone()
	offset := in.brand.Offsets.nearest(rule.Offset)
	locale := localeOf(doc.Text("language"))
	return view{
		"zone":        rule.Name,
		"offset":      offset,
		"offset_now":  in.brand.Offsets.nearest(today),
		"offset_text": offsetText(offset),
		"dst":         rule.DST,
		"start":       rule.Start.view(),
		"stop":        rule.Stop.view(),
		"saving":      rule.Saving,
		"ntp_server":  doc.Text("ntp_server"),
		"format_24h":  choice(doc, "provision.time_format", locale.clock, "12", "24") == "24",
		"date_format": choice(doc, "provision.date_format", append([]string{locale.date}, dateFormats...)...),
	}
}

func (r changeRule) view() view {
	return view{"month": r.Month, "week": r.Week, "weekday": r.Weekday, "hour": r.Hour, "minute": r.Minute}
}

// keysView has the keys beside the screen and those of expansion modules, which
// go on counting where the phone ends. All texts are escaped.
func (in viewInput) keysView() view {
	s, rules, m := in.settings, in.brand.Keys, in.model
	own, modules := []any{}, []any{}
	if in.placed != nil {
		pickup := featureCode(s.document, codePickup)
		own = keyViews(in.placed[:m.LineKeys], pickup, in.escape)
		for keys := range slices.Chunk(in.placed[m.LineKeys:], max(m.ExpansionKeys, 1)) {
			modules = append(modules, view{"module": len(modules) + 1, "keys": keyViews(keys, pickup, in.escape)})
		}
	}
	ofType := map[string]int{}
	return view{"combo": rules.Combo.view(s.combos, ofType, in.escape), "feature": rules.Feature.view(s.features, ofType, in.escape), "line": own, "expansion": modules}
}

// placedKeys are the keys of a device, with those of its modules.
func (in viewInput) placedKeys() []lineKey {
	if in.device == nil {
		return nil
	}
	return in.brand.Keys.placeKeys(in.settings.combos, in.settings.features, in.model.Keys())
}

func keyViews(keys []lineKey, pickup string, escape func(string) string) []any {
	list := make([]any, len(keys))
	for i, k := range keys {
		if k == (lineKey{Position: k.Position, Type: keyNone, Line: 1}) {
			list[i] = unusedKeyView(i+1, k.Position)
			continue
		}
		code := ""
		if monitored, _, _ := strings.Cut(k.Value, "@"); k.Type == models.KeyPresence && pickup != "" {
			code = pickup + monitored
		}
		list[i] = keyView(k, i+1, code, escape)
	}
	return list
}

func keyView(k lineKey, position int, pickup string, escape func(string) string) view {
	return view{"position": position, "overall": k.Position, "type": escape(k.Type), "code": escape(k.Code), "value": escape(k.Value),
		"label": escape(k.Label), "nth": k.Nth, "nth_of_code": k.OfCode, "line": k.Line, "user": k.Type == models.KeyPresence, "pickup": escape(pickup)}
}

// unusedKeys are the views of keys without a function: most keys are, and they
// look alike on all phones. There are as many as places of keys.
var unusedKeys sync.Map

func unusedKeyView(position, overall int) any {
	place := [2]int{position, overall}
	if v, made := unusedKeys.Load(place); made {
		return v
	}
	v, _ := unusedKeys.LoadOrStore(place, keyView(lineKey{Position: overall, Type: keyNone, Line: 1}, position, "", escapeXML))
	return v
}

// view is the keys as stored; ofType counts them on, by type.
func (r KeyRule) view(keys []key, ofType map[string]int, escape func(string) string) []any {
	out := []any{}
	for _, k := range keys {
		ofType[k.Type]++
		out = append(out, view{"number": k.Number, "position": r.First + k.Number, "type": escape(k.Type), "code": escape(r.Codes[k.Type]),
			"value": escape(k.Value), "label": escape(k.Label), "line": k.Line, "nth_of_type": ofType[k.Type]})
	}
	return out
}

func (in viewInput) phoneView() view {
	return view{"firmware": in.firmware, "generation": in.brand.generationOf(in.firmware)}
}

func (in viewInput) webView() view {
	return view{"enabled": in.settings.document.Flag("provision.web_ui", true)}
}

func (in viewInput) firmwareView() view {
	return view{"url": in.asset(in.settings.document.Text("provision.firmware"))}
}

func (in viewInput) serverView() view {
	out := view{"url": in.server.URL, "scheme": "", "host": "", "username": in.server.Username, "password": in.server.Password.Reveal(),
		"uploads": in.server.URL}
	if u, err := url.Parse(in.server.URL); err == nil {
		out["scheme"], out["host"] = u.Scheme, u.Host
	}
	return out
}

func (in viewInput) modelView() view {
	m := in.model
	out := view{"brand": m.Brand, "family": m.Family, "name": m.Name, "label": m.Label, "lines": m.Lines, "line_keys": m.LineKeys,
		"expansion_modules": m.ExpansionModules, "expansion_keys": m.ExpansionKeys}
	for name, value := range m.Attributes {
		if !slices.Contains(modelMembers, name) {
			out[name] = value
		}
	}
	return out
}
