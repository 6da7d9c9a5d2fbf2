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

// maxExplaining is how many renderings with other documents an explanation may
// take.
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
	Lines      []ExplainedLine
	Incomplete bool // there was more to try than maxExplaining: lines may have other origins too
}

// Explain renders a file as Preview does and finds where each line comes from:
// it is rendered again with one thing changed at a time, and what differs
// depends on that.
func (s *Service) Explain(ctx context.Context, phone *models.Phone, name string, reveal bool) (Explanation, error) {
	if reveal {
		return s.explain(ctx, phone, name, allLines)
	}
	return s.ExplainLines(ctx, phone, name, allLines)
}

// ExplainLines is Explain, secrets masked, of those lines, from 0, that wanted
// chooses. It takes the fewer renderings the fewer lines they are.
func (s *Service) ExplainLines(ctx context.Context, phone *models.Phone, name string, wanted func(Rendering) []int) (Explanation, error) {
	masked, phone, err := s.masked(phone)
	if err != nil {
		return Explanation{}, err
	}
	return masked.explain(ctx, phone, name, wanted)
}

func (s *Service) explain(ctx context.Context, phone *models.Phone, name string, wanted func(Rendering) []int) (Explanation, error) {
	s = s.With(s.Catalog())
	memo := &memoStore{Store: s.store, users: map[string][]*models.User{}}
	s.store = memo
	r, err := s.Trace(ctx, phone, name)
	if err != nil {
		return Explanation{}, err
	}
	e := &explainer{service: s, phone: phone, file: r, lines: make([]ExplainedLine, len(r.Lines)), wanted: wanted(r), left: maxExplaining}
	for i, line := range r.Lines {
		e.lines[i].TracedLine = line
	}
	for _, layer := range append(e.layers(), memo.layer(phone)) {
		e.members(ctx, layer, "", layer.objects())
	}
	e.inputs(ctx)
	return Explanation{Rendering: r, Lines: e.lines, Incomplete: e.incomplete}, ctx.Err()
}

// memoStore reads each thing once, for one phone.
type memoStore struct {
	Store
	users map[string][]*models.User
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

func allLines(r Rendering) []int {
	lines := make([]int, len(r.Lines))
	for i := range lines {
		lines[i] = i
	}
	return lines
}

type explainer struct {
	service    *Service
	phone      *models.Phone
	file       Rendering
	lines      []ExplainedLine
	wanted     []int // lines, from 0, in order
	left       int   // renderings with other documents
	incomplete bool  // more were wanted
}

// A layerDocuments is one layer of a phone's settings. Of further lines and of
// other users there are several documents, which are changed together.
type layerDocuments struct {
	name      string
	documents []models.Document
}

func (l *layerDocuments) objects() []map[string]any {
	var objects []map[string]any
	for _, doc := range l.documents {
		objects = append(objects, doc)
	}
	return objects
}

func (e *explainer) layers() []layerDocuments {
	p := e.phone
	layers := []layerDocuments{{LayerAccount, []models.Document{p.Account.Document}}}
	if b := e.service.Catalog().brands[p.Device.Provision.Brand]; b != nil {
		layers = append(layers, layerDocuments{LayerManifest, []models.Document{b.defaults}})
	}
	if p.Owner != nil {
		layers = append(layers, layerDocuments{LayerOwner, []models.Document{p.Owner.Document}})
	}
	lines := layerDocuments{name: LayerLine}
	for _, line := range p.Lines {
		lines.documents = append(lines.documents, line.Phone.Device.Document)
		if line.Phone.Owner != nil {
			lines.documents = append(lines.documents, line.Phone.Owner.Document)
		}
	}
	return append(layers, lines, layerDocuments{LayerDevice, []models.Document{p.Device.Document}})
}

// layer is the users that were read, but for the phone's owner.
func (m *memoStore) layer(phone *models.Phone) layerDocuments {
	layer := layerDocuments{name: LayerUser}
	for _, users := range m.users {
		for _, u := range users {
			if phone.Owner == nil || u.ID != phone.Owner.ID {
				layer.documents = append(layer.documents, u.Document)
			}
		}
	}
	return layer
}

// members looks which members of objects change which lines, from the outside
// inwards: what makes no difference as a whole is not looked into.
func (e *explainer) members(ctx context.Context, layer layerDocuments, prefix string, objects []map[string]any) (explained []int) {
	for _, name := range memberNames(objects) {
		if strings.Contains(name, ".") {
			continue // no path leads there
		}
		path := prefix + name
		values, inner := valuesOf(objects, name)
		changed, sure := e.sensitive(ctx, layer, path, values)
		if len(changed) == 0 && (sure || len(inner) == 0) {
			continue
		}
		rest := changed
		if len(inner) > 0 {
			within := e.members(ctx, layer, path+".", inner)
			rest = slices.DeleteFunc(changed, func(line int) bool { return slices.Contains(within, line) })
			explained = append(explained, within...)
		}
		e.assign(rest, Origin{layer.name, path})
		explained = append(explained, rest...)
	}
	return explained
}

// memberNames are all names in objects, sorted.
func memberNames(objects []map[string]any) []string {
	all := map[string]bool{}
	for _, object := range objects {
		for name := range object {
			all[name] = true
		}
	}
	return sortedKeys(all)
}

// valuesOf are the values of a member, and those of them that are objects.
func valuesOf(objects []map[string]any, name string) (values []any, inner []map[string]any) {
	for _, object := range objects {
		v, there := object[name]
		if !there {
			continue
		}
		values = append(values, v)
		if o, ok := v.(map[string]any); ok {
			inner = append(inner, o)
		}
	}
	return values, inner
}

// sensitive are the lines that change with a member: when it is not there, or
// has another value. It is not sure when some other value cannot be rendered.
func (e *explainer) sensitive(ctx context.Context, layer layerDocuments, path string, values []any) (lines []int, sure bool) {
	lines, err := e.differing(ctx, layer.name, path, nil)
	sure = err == nil
	tried := [][]any{values}
	for _, other := range alternatives {
		others := make([]any, len(values))
		for i, v := range values {
			others[i] = other(v)
		}
		if slices.ContainsFunc(tried, func(same []any) bool { return sameJSON(same, others) }) {
			continue
		}
		tried = append(tried, others)
		changed, err := e.differing(ctx, layer.name, path, other)
		lines = append(lines, changed...)
		sure = sure && err == nil
	}
	slices.Sort(lines)
	return slices.Compact(lines), sure
}

// alternatives are other values of a member. Of a word that means something
// only words with a meaning make a difference.
var alternatives = []func(any) any{
	replaceText(func(s string) string { return s + "1" }),
	replaceText(func(string) string { return "tls" }),
	replaceText(func(string) string { return "Asia/Kolkata" }),
	replaceText(func(string) string { return "fr" }),
}

// replaceText changes every text in a value, and numbers, switches and lists with it.
func replaceText(replace func(string) string) func(any) any {
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
	return change
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// differing are the lines that are others when a member is in all documents of
// a layer that have it, or, without another value, in none.
func (e *explainer) differing(ctx context.Context, layer, path string, other func(any) any) ([]int, error) {
	if e.left == 0 {
		e.incomplete = true
		return nil, nil
	}
	e.left--
	service, phone, err := e.service.changed(e.phone, func(name string, doc models.Document) models.Document {
		if name != layer {
			return doc
		}
		if other == nil {
			doc.Delete(path)
		} else if v, there := doc.Lookup(path); there {
			doc.Set(path, other(v))
		}
		return doc
	})
	if err != nil {
		return nil, err
	}
	return e.compare(ctx, service, phone)
}

// compare finds the wanted lines that are others for another service and phone.
func (e *explainer) compare(ctx context.Context, other *Service, phone *models.Phone) ([]int, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if other.render == nil {
		other.render = (*Catalog).renderUnchecked
	}
	f, err := other.DeviceFile(ctx, phone, e.file.Name)
	if err != nil || f.ETag == e.file.ETag {
		return nil, err
	}
	changed := ChangedLines(string(e.file.Body), string(f.Body))
	return slices.DeleteFunc(changed, func(line int) bool {
		_, wanted := slices.BinarySearch(e.wanted, line)
		return !wanted
	}), nil
}

// renderUnchecked is renderFile for a file that need not be well-formed.
func (c *Catalog) renderUnchecked(name string, rule *FileRule, in viewInput) (File, error) {
	template, v, err := c.templateAndView(rule, in)
	if err != nil {
		return File{}, err
	}
	body, err := c.templates.render(template, v)
	return newFile(name, rule, body, c.templates.reveals(template, in, body)), err
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
