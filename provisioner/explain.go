package provisioner

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"dialtone/models"
)

// maxExplaining is how many renderings an explanation may take.
const maxExplaining = 2000

// An ExplainedLine is a line of a file with what its values came from: every
// member of a document, and everything else, that changes the line when it is
// changed. A line without any is the template's own.
type ExplainedLine struct {
	TracedLine
	Origins []Origin
}

// An Origin is a part of a layer: {"device", "sip.username"}.
type Origin struct{ Layer, Member string }

// An Explanation is a Rendering whose lines have their origins.
type Explanation struct {
	Rendering
	Lines []ExplainedLine
}

// Explain renders a file as Preview does and finds where each line comes from:
// it is rendered again with one thing changed at a time, and what differs
// depends on that.
func (s *Service) Explain(ctx context.Context, phone *models.Phone, name string, reveal bool) (Explanation, error) {
	if !reveal {
		var err error
		if s, phone, err = s.masked(phone); err != nil {
			return Explanation{}, err
		}
	}
	s = s.With(s.Catalog())
	memo := &memoStore{Store: s.store, users: map[string][]*models.User{}}
	s.store = memo
	r, err := s.Trace(ctx, phone, name)
	if err != nil {
		return Explanation{}, err
	}
	e := &explainer{service: s, phone: phone, file: r, lines: make([]ExplainedLine, len(r.Lines)), left: maxExplaining}
	for i, line := range r.Lines {
		e.lines[i].TracedLine = line
	}
	for _, layer := range append(e.layers(), memo.layers(phone)...) {
		e.members(ctx, layer, "", layer.document)
	}
	e.inputs(ctx)
	return Explanation{Rendering: r, Lines: e.lines}, ctx.Err()
}

// memoStore reads each thing once, for one phone.
type memoStore struct {
	Store
	users    map[string][]*models.User
	firmware *string
}

// UsersByID reads users.
func (m *memoStore) UsersByID(ctx context.Context, accountID string, ids []string) ([]*models.User, error) {
	key := accountID + strings.Join(ids, ",")
	if users, known := m.users[key]; known {
		return users, nil
	}
	users, err := m.Store.UsersByID(ctx, accountID, ids)
	if err == nil {
		m.users[key] = users
	}
	return users, err
}

// Users reads a page of an account's users.
func (m *memoStore) Users(ctx context.Context, accountID, after string, limit int) ([]*models.User, error) {
	key := accountID + " after " + after
	if users, known := m.users[key]; known {
		return users, nil
	}
	users, err := m.Store.Users(ctx, accountID, after, limit)
	if err == nil {
		m.users[key] = users
	}
	return users, err
}

// LastFirmware reads a device's firmware.
func (m *memoStore) LastFirmware(ctx context.Context, deviceID string) (string, error) {
	if m.firmware != nil {
		return *m.firmware, nil
	}
	firmware, err := m.Store.LastFirmware(ctx, deviceID)
	if err == nil {
		m.firmware = &firmware
	}
	return firmware, err
}

type explainer struct {
	service *Service
	phone   *models.Phone
	file    Rendering
	lines   []ExplainedLine
	left    int // renderings
}

// A layerDocument is one layer of a phone's settings.
type layerDocument struct {
	name     string
	document models.Document
}

func (e *explainer) layers() []layerDocument {
	p := e.phone
	layers := []layerDocument{{LayerAccount, p.Account.Document}}
	if b := e.service.Catalog().brands[p.Device.Provision.Brand]; b != nil {
		layers = append(layers, layerDocument{LayerManifest, b.defaults})
	}
	if p.Owner != nil {
		layers = append(layers, layerDocument{LayerOwner, p.Owner.Document})
	}
	for _, line := range p.Lines {
		layers = append(layers, layerDocument{LayerLine, line.Phone.Device.Document})
		if line.Phone.Owner != nil {
			layers = append(layers, layerDocument{LayerLine, line.Phone.Owner.Document})
		}
	}
	return append(layers, layerDocument{LayerDevice, p.Device.Document})
}

// layers are the users that were read, but for the phone's owner.
func (m *memoStore) layers(phone *models.Phone) []layerDocument {
	var layers []layerDocument
	for _, users := range m.users {
		for _, u := range users {
			if phone.Owner == nil || u.ID != phone.Owner.ID {
				layers = append(layers, layerDocument{LayerUser, u.Document})
			}
		}
	}
	return layers
}

// members looks which members of an object change which lines, from the
// outside inwards: what makes no difference as a whole is not looked into.
func (e *explainer) members(ctx context.Context, layer layerDocument, prefix string, object map[string]any) (explained []int) {
	for _, name := range sortedKeys(object) {
		if strings.Contains(name, ".") {
			continue // no path leads there
		}
		path, v := prefix+name, object[name]
		inner, isObject := v.(map[string]any)
		changed, sure := e.sensitive(ctx, layer, path, v)
		if len(changed) == 0 && (sure || !isObject) {
			continue
		}
		rest := changed
		if isObject {
			within := e.members(ctx, layer, path+".", inner)
			rest = slices.DeleteFunc(changed, func(line int) bool { return slices.Contains(within, line) })
			explained = append(explained, within...)
		}
		e.assign(rest, Origin{layer.name, path})
		explained = append(explained, rest...)
	}
	return explained
}

// sensitive are the lines that change with a member: when it is not there, or
// has another value. It is not sure when some other value cannot be rendered.
func (e *explainer) sensitive(ctx context.Context, layer layerDocument, path string, v any) (lines []int, sure bool) {
	sure = true
	for _, other := range append([]func(any) (any, bool){without}, alternatives...) {
		value, keep := other(v)
		if keep && sameJSON(value, v) {
			continue
		}
		changed, err := e.differing(ctx, func(name string, doc models.Document) models.Document {
			switch {
			case name != layer.name:
			case keep:
				doc.Set(path, value)
			default:
				doc.Delete(path)
			}
			return doc
		})
		lines = append(lines, changed...)
		sure = sure && err == nil
	}
	slices.Sort(lines)
	return slices.Compact(lines), sure
}

func without(any) (any, bool) { return nil, false }

// alternatives are other values of a member. Of a word that means something
// only words with a meaning make a difference.
var alternatives = []func(any) (any, bool){
	replaceText(func(s string) string { return s + "1" }),
	replaceText(func(string) string { return "tls" }),
	replaceText(func(string) string { return "Asia/Kolkata" }),
	replaceText(func(string) string { return "fr" }),
}

// replaceText changes every text in a value, and numbers, switches and lists with it.
func replaceText(replace func(string) string) func(any) (any, bool) {
	var change func(v any) any
	change = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := make(map[string]any, len(v))
			for name, member := range v {
				out[name] = change(member)
			}
			return out
		case []any:
			if len(v) == 0 {
				return v
			}
			return append(slices.Clone(v[1:]), change(v[0]))
		case string:
			return replace(v)
		case bool:
			return !v
		case json.Number:
			return json.Number("1" + strings.TrimPrefix(v.String(), "-"))
		}
		return v
	}
	return func(v any) (any, bool) { return change(v), true }
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// differing are the lines that are others when documents are changed.
func (e *explainer) differing(ctx context.Context, change documentChange) ([]int, error) {
	other, phone, err := e.service.changed(e.phone, change)
	if err != nil {
		return nil, err
	}
	return e.compare(ctx, other, phone)
}

func (e *explainer) compare(ctx context.Context, other *Service, phone *models.Phone) ([]int, error) {
	if e.left == 0 || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	e.left--
	if other.render == nil {
		other.render = (*Catalog).renderUnchecked
	}
	f, err := other.DeviceFile(ctx, phone, e.file.Name)
	if err != nil || f.ETag == e.file.ETag {
		return nil, err
	}
	return ChangedLines(string(e.file.Body), string(f.Body)), nil
}

// renderUnchecked is renderFile for a file that need not be well-formed.
func (c *Catalog) renderUnchecked(name string, rule *FileRule, in viewInput) (File, error) {
	template, v, err := c.templateAndView(rule, in)
	if err != nil {
		return File{}, err
	}
	body, err := c.templates.render(template, v)
	return newFile(name, rule, body), err
}

// ChangedLines are the lines of a text, from 0, that another one has not.
func ChangedLines(before, after string) []int {
	var lines []int
	for _, edit := range udiff.Lines(before, after) {
		first := strings.Count(before[:edit.Start], "\n")
		for i := range strings.Count(before[edit.Start:edit.End], "\n") {
			lines = append(lines, first+i)
		}
	}
	return lines
}

func (e *explainer) assign(lines []int, origin Origin) {
	for _, i := range lines {
		if i < len(e.lines) && !slices.Contains(e.lines[i].Origins, origin) {
			e.lines[i].Origins = append(e.lines[i].Origins, origin)
		}
	}
}

// inputs looks at what is in no document: what the server and the manifest
// add. What cannot be rendered tells nothing.
func (e *explainer) inputs(ctx context.Context) {
	other := e.service.With(e.service.Catalog())
	other.opts.Registrar = "other.example.com:5099"
	lines, _ := e.compare(ctx, other, e.phone)
	e.assign(lines, Origin{LayerServer, "sip.registrar"})
	for _, input := range e.otherInputs() {
		other := e.service.With(e.service.Catalog())
		other.render = func(c *Catalog, name string, rule *FileRule, in viewInput) (File, error) {
			input.change(&in)
			return c.renderUnchecked(name, rule, in)
		}
		lines, _ := e.compare(ctx, other, e.phone)
		e.assign(lines, input.origin)
	}
}

// An otherInput changes something of a view's input.
type otherInput struct {
	origin Origin
	change func(*viewInput)
}

func (e *explainer) otherInputs() []otherInput {
	p := e.phone.Device.Provision
	m := e.service.Catalog().Model(p.Brand, p.Family, string(p.Model))
	inputs := []otherInput{
		{Origin{LayerServer, "phones.url"}, func(in *viewInput) { in.server.URL = "https://other.example.com/" }},
		{Origin{LayerServer, "http_username"}, func(in *viewInput) { in.server.Username += "1" }},
		{Origin{LayerServer, "http_password"}, func(in *viewInput) { in.server.Password += "1" }},
		{Origin{LayerDevice, "mac_address"}, otherMAC},
		{Origin{LayerManifest, "label"}, func(in *viewInput) { in.model.Label += "1" }},
		{Origin{LayerManifest, "lines"}, func(in *viewInput) { in.model.Lines++ }},
		{Origin{LayerManifest, "line_keys"}, func(in *viewInput) { in.model.LineKeys++ }},
		{Origin{LayerManifest, "line_keys"}, func(in *viewInput) { in.model.LineKeys = max(in.model.LineKeys-1, 0) }},
	}
	for _, name := range sortedKeys(m.Attributes) {
		inputs = append(inputs, otherInput{Origin{LayerManifest, "attributes." + name}, func(in *viewInput) {
			other := maps.Clone(in.model.Attributes)
			other[name] += "1"
			in.model.Attributes = other
		}})
	}
	return inputs
}

func otherMAC(in *viewInput) {
	if in.device == nil {
		return
	}
	device := *in.device
	device.MACAddress = "0200000000aa"
	in.device = &device
}
