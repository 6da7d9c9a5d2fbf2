package provisioner

import (
	"fmt"
	"strings"
)

// A variable is one thing that templates can read. The table of them is what
// templates are checked against and what docs/templates.md lists.
type variable struct {
	Path    string // "time.zone"; the elements of a list are "lines[]"
	Type    string // one of the type constants
	Meaning string
	Example string // of its value, "" where there is nothing to show
}

const (
	typeText     = "text"
	typeInt      = "int"
	typeBool     = "bool"
	typeList     = "list"
	typeObject   = "object"
	typeOpen     = "open"     // an object with members beside those listed
	typeDocument = "document" // an object of the API's; a missing member is empty
)

// A variableGroup is a section of the documentation.
type variableGroup struct {
	Title string
	Intro string
	List  []variable
}

var variableGroups = []variableGroup{
	{"Documents", "The documents as the API has them, without secrets. A member that a document lacks is empty.", []variable{
		{"device", typeDocument, "the device with owner, account and `defaults` laid underneath; empty in common files", ""},
		{"device.id", typeText, "its id", "cccccccccccccccccccccccccccccccc"},
		{"device.mac", typeText, "12 lower-case hex digits", "001565aabbcc"},
		{"account", typeDocument, "the account", ""},
		{"account.id", typeText, "its id", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		{"owner", typeDocument, "the device's owner; empty without one and in common files", ""},
		{"owner.id", typeText, "its id", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb1"},
		{"owner.label", typeText, "first and last name, or the one there is, or `name`", "Ann Lee"},
	}},
	{"Lines", "`lines` lists the phone's SIP lines. The first is the device itself, unless it has no SIP username; the others are devices of its account\n" +
		"that `provision.lines` names. Numbers may be missing; there are none beyond `model.lines`, and none at all in common files. Everything\n" +
		"of a line is that of the device that registers on it. `{% for line in lines %}` gives:", []variable{
		{"lines", typeList, "", ""},
		{"lines[].number", typeInt, "from 1, ascending", "1"},
		{"lines[].device_id", typeText, "the device", "cccccccccccccccccccccccccccccccc"},
		{"lines[].enabled", typeBool, "device, owner and account are all enabled", "true"},
		{"lines[].username", typeText, "the user part of the address of record", "ann1"},
		{"lines[].auth_name", typeText, "the name in digest authentication: the same", "ann1"},
		{"lines[].password", typeText, "empty while the line is disabled", "s3cret"},
		{"lines[].realm", typeText, "the SIP domain", "acme.example.com"},
		{"lines[].display_name", typeText, "the device's name, or the owner's, or the account's", "Front desk"},
		{"lines[].label", typeText, "the owner's label, or the display name", "Ann Lee"},
		{"lines[].presence_id", typeText, "what others monitor: the owner's `presence_id`, without an owner that of the first user logged in, else the " +
			"device's, else the username; without realm", "1001"},
		{"lines[].caller_id_name", typeText, "`caller_id.internal.name`, else `external`", "Ann"},
		{"lines[].caller_id_number", typeText, "`caller_id.internal.number`, else `external`", "1001"},
		{"lines[].proxy", typeText, "where requests go first: the first of `sip.proxy`, which may be a comma-separated list, else the server's registrar, " +
			"else the realm; of a SIP URI its host", "proxy1.example.com"},
		{"lines[].proxy_port", typeInt, "without one 5060, with TLS 5061, with `auto` 0", "5060"},
		{"lines[].outbound", typeBool, "the proxy is not the realm's own host", "true"},
		{"lines[].servers", typeList, "all of `sip.proxy` in order, at most four; never empty", ""},
		{"lines[].servers[].host", typeText, "", "proxy1.example.com"},
		{"lines[].servers[].port", typeInt, "as `proxy_port`", "5060"},
		{"lines[].servers[].address", typeText, "both as a SIP URI has them: an IPv6 address in brackets, and no port when it is 0", "proxy1.example.com:5060"},
		{"lines[].servers[].transport", typeText, "the vendor's word", "0"},
		{"lines[].servers[].nth", typeInt, "from 1", "1"},
		{"lines[].transport", typeText, "the vendor's word for `sip.transport`", "0"},
		{"lines[].expires", typeInt, "seconds between registrations: `sip.expire_seconds`, 10 to 2147483647", "300"},
		{"lines[].profile", typeInt, "from 1: the same for lines that agree in realm, servers, transport and expiry, for phones that keep these apart from lines", "1"},
		{"lines[].profile_first", typeBool, "it is the first line with its profile", "true"},
		{"lines[].keep_alive", typeInt, "seconds between packets that keep a NAT open, 0 = none: `provision.keep_alive`", "30"},
		{"lines[].srtp", typeText, "`off`, `optional` or `required`", "optional"},
		{"lines[].codecs", typeObject, "this line's audio codecs; members as of `codecs`", ""},
		{"lines[].video_codecs", typeObject, "this line's video codecs, likewise", ""},
		{"lines[].dtmf", typeText, "`rfc2833`, `info` or `inband`: `provision.dtmf`", "rfc2833"},
		{"lines[].dnd", typeBool, "`do_not_disturb.enabled`", "false"},
		{"lines[].call_waiting", typeBool, "`call_waiting.enabled`, on by default", "true"},
		{"lines[].forward", typeObject, "where calls go instead", ""},
		{"lines[].forward.always", typeBool, "`call_forward.enabled`", "true"},
		{"lines[].forward.offline", typeBool, "only `call_forward.failover` is on: while the phone cannot be reached, so nothing for the phone itself", "false"},
		{"lines[].forward.number", typeText, "`call_forward.number`", "15551234567"},
		{"lines[].forward.busy", typeBool, "there is a `busy_number`", "true"},
		{"lines[].forward.busy_number", typeText, "`provision.forward.busy`", "1002"},
		{"lines[].forward.no_answer", typeBool, "there is a `no_answer_number`", "true"},
		{"lines[].forward.no_answer_number", typeText, "`provision.forward.no_answer`", "1003"},
		{"lines[].forward.timeout", typeInt, "seconds until a call counts as not answered: `provision.forward.timeout`", "20"},
		{"lines[].auto_answer", typeBool, "`provision.auto_answer`", "false"},
		{"lines[].shared", typeBool, "a shared line: `provision.shared_line`", "false"},
		{"lines[].ringtone_internal", typeText, "text of the Alert-Info header that marks an internal call: `ringtones.internal`", "internal"},
		{"lines[].ringtone_external", typeText, "the same of external calls", "external"},
		{"lines[].music_on_hold", typeText, "`music_on_hold.media_id` when it is a `sip:` URI; other music is played by the switch", "sip:moh@acme.example.com"},
		{"lines[].keys", typeInt, "how many keys are keys of this line", "1"},
		{"lines[].voicemail_number", typeText, "`provision.voicemail_number`", "*97"},
		{"lines[].mwi_subscribe", typeBool, "the phone has to ask for news of its mailbox: not `mwi_unsolicited_updates`", "false"},
		{"unused_lines", typeList, "the numbers from 1 to `model.lines` that none of `lines` has; empty in common files", ""},
		{"unused_lines[]", typeInt, "", ""},
	}},
	{"Codecs", "`codecs` and `video_codecs` are those of the first line; in common files those of the account.", []variable{
		{"codecs", typeObject, "", ""},
		{"codecs.on", typeList, "those in `media.audio.codecs` that the brand has, at most four; without any the manifest's", ""},
		{"codecs.on[].code", typeText, "the vendor's name", "pcmu"},
		{"codecs.on[].priority", typeInt, "from 1", "1"},
		{"codecs.off", typeList, "all others of the manifest", ""},
		{"codecs.off[].code", typeText, "the vendor's name", "opus"},
		{"video_codecs", typeObject, "the same of `media.video.codecs` and the manifest's `video_codecs`; there may be none on", ""},
	}},
	{"Time and language", timeIntro(), []variable{
		{"time", typeObject, "", ""},
		{"time.zone", typeText, "IANA name; `UTC` when none is known", "America/New_York"},
		{"time.offset", typeInt, "seconds east of UTC in standard time, within `offsets` of the manifest", "-18000"},
		{"time.offset_now", typeInt, "seconds east of UTC on the day of rendering, within `offsets`, for phones that cannot be told of a change", "-18000"},
		{"time.offset_text", typeText, "the same in hours: `-6`, `+5:45`, `0`", "-5"},
		{"time.dst", typeBool, "clocks change this year", "true"},
		{"time.start", typeObject, "when daylight saving time begins, as the clock shows right before", ""},
		{"time.start.month", typeInt, "1 to 12", "3"},
		{"time.start.week", typeInt, "of the month: 1 to 4, 5 = the last", "2"},
		{"time.start.weekday", typeInt, "1 = Monday to 7 = Sunday", "7"},
		{"time.start.hour", typeInt, "", "2"},
		{"time.start.minute", typeInt, "", "0"},
		{"time.stop", typeObject, "when it ends; the same members", ""},
		{"time.saving", typeInt, "minutes that daylight saving time adds", "60"},
		{"time.ntp_server", typeText, "`ntp_server`", "pool.ntp.org"},
		{"time.format_24h", typeBool, "`provision.time_format` is `24`, or by language: all but `en-us`", "false"},
		{"time.date_format", typeText, "`provision.date_format`: `YYYY-MM-DD`, `DD/MM/YYYY` or `MM/DD/YYYY`; else by language", "MM/DD/YYYY"},
		{"language", typeText, "the vendor's word for `language`, empty when it has none", "English"},
	}},
	{"Keys", "A combo key takes line key `first` + its number. The first key is the line's unless a combo key takes it. A feature key\n" +
		"takes `first` + its number if nothing is there. Numbers beyond the phone's own\n" +
		"keys go to its expansion modules, in order. What has no place on the model is left out.", []variable{
		{"keys", typeObject, "", ""},
		{"keys.line", typeList, "the physical keys 1 to `model.line_keys`, every one", ""},
		{"keys.line[].position", typeInt, "from 1", "2"},
		{"keys.line[].overall", typeInt, "the same, counted on over the keys of expansion modules", "2"},
		{"keys.line[].type", typeText, "Kazoo's key type, or `none`", "presence"},
		{"keys.line[].code", typeText, "the vendor's, empty for `none` or when the manifest has none", "16"},
		{"keys.line[].value", typeText, "what is monitored or dialled; empty for `line`", "1002"},
		{"keys.line[].label", typeText, "the text beside the key; empty for `line`", "Bob Ray"},
		{"keys.line[].line", typeInt, "SIP line that the key belongs to: the key's `line`, else 1", "1"},
		{"keys.line[].user", typeBool, "the key monitors a user", "true"},
		{"keys.line[].pickup", typeText, "what to dial to take a call that rings there: `codes.pickup` and the value; empty when it monitors no user or there is no code",
			"**1002"},
		{"keys.line[].nth", typeInt, "number among the keys with a function other than line, from 1, over the modules too; else 0", "1"},
		{"keys.line[].nth_of_code", typeInt, "number among the keys with the same code, likewise", "1"},
		{"keys.expansion", typeList, "the expansion modules that may be attached: `model.expansion_modules`, every one", ""},
		{"keys.expansion[].module", typeInt, "from 1", "1"},
		{"keys.expansion[].keys", typeList, "all keys of the module, with the members of `keys.line`; `position` counts from 1 in each module", ""},
		{"keys.combo", typeList, "the combo keys as stored, by number", ""},
		{"keys.combo[].number", typeInt, "as stored, from 0 by convention", "3"},
		{"keys.combo[].position", typeInt, "the line key that it asks for", "4"},
		{"keys.combo[].type", typeText, "these as of `keys.line`", "speed_dial"},
		{"keys.combo[].code", typeText, "", "13"},
		{"keys.combo[].value", typeText, "", "15551234567"},
		{"keys.combo[].label", typeText, "", "Taxi"},
		{"keys.combo[].line", typeInt, "", "1"},
		{"keys.combo[].nth_of_type", typeInt, "number among all combo and feature keys of the type, combo keys first, from 1", "1"},
		{"keys.feature", typeList, "the feature keys, with the members of combo keys", ""},
		{"codes", typeObject, "what is dialled for features of the switch: `provision.feature_codes`, else Kazoo's where it has one", ""},
		{"codes.park", typeText, "before a slot: park a call there, or take it back", "*3"},
		{"codes.park_retrieve", typeText, "before a slot: take the call there", "*5"},
		{"codes.pickup", typeText, "before an extension: take the call that rings there", ""},
		{"codes.group_pickup", typeText, "take a call that rings in one's group", ""},
		{"codes.intercom", typeText, "before an extension: speak there at once", "*0"},
		{"codes.privacy", typeText, "before a number: hide one's own", "*67"},
		{"codes.forward_on", typeText, "forward all calls", "*72"},
		{"codes.forward_off", typeText, "and no longer", "*73"},
		{"codes.dnd_on", typeText, "do not disturb", ""},
		{"codes.dnd_off", typeText, "and no longer", ""},
		{"codes.hotdesk_login", typeText, "log in to this phone", "*11"},
		{"codes.hotdesk_logout", typeText, "log out of it", "*12"},
	}},
	{"Server, model and firmware", "", []variable{
		{"server", typeObject, "", ""},
		{"server.url", typeText, "where the phone fetches, ends in `/`; a secret; empty when the server does not know its address", "http://phones.example.com:8080/p/.../"},
		{"server.scheme", typeText, "of the URL", "http"},
		{"server.host", typeText, "of the URL, with port", "phones.example.com:8080"},
		{"server.uploads", typeText, "where the phone puts its files: the same URL", "http://phones.example.com:8080/p/.../"},
		{"server.username", typeText, "the phone's own, for HTTP digest; empty in common files", "001565aabbcc"},
		{"server.password", typeText, "likewise", ""},
		{"model", typeOpen, "its attributes in the manifest, and", ""},
		{"model.brand", typeText, "", "acme"},
		{"model.family", typeText, "", "t4x"},
		{"model.name", typeText, "", "t46u"},
		{"model.label", typeText, "as the phone spells it", "T46U"},
		{"model.lines", typeInt, "SIP lines", "16"},
		{"model.line_keys", typeInt, "keys beside the screen", "27"},
		{"model.expansion_modules", typeInt, "expansion modules that may be attached", "3"},
		{"model.expansion_keys", typeInt, "keys of one", "60"},
		{"phone", typeObject, "", ""},
		{"phone.firmware", typeText, "version as the phone tells it in this request, or told it last; empty when it never did", "108.86.0.20"},
		{"phone.generation", typeInt, "the generation of the firmware, by the manifest; 0 when not known: write for current firmware then", "86"},
	}},
	{"Phonebook", "", []variable{
		{"phonebook", typeObject, "", ""},
		{"phonebook.name", typeText, "the account's name", "Acme"},
		{"phonebook.url", typeText, "where the phone finds the file with the entries: the first that says `phonebook: true`; empty when there is none",
			"http://phones.example.com:8080/p/.../phonebook.xml"},
		{"phonebook.entries", typeList, "users with a name and a `presence_id` who are not disabled and do not say `contact_list.exclude`, by name, each number once; " +
			"at most 1,000 or the model's `phonebook_entries`, of the account's first 10,000 users; only in files that say `phonebook: true`", ""},
		{"phonebook.entries[].name", typeText, "the user's label", "Ann Lee"},
		{"phonebook.entries[].number", typeText, "`presence_id` without realm", "1001"},
		{"phonebook.entries[].first_name", typeText, "", "Ann"},
		{"phonebook.entries[].last_name", typeText, "", "Lee"},
	}},
	{"The phone itself", "", []variable{
		{"security", typeObject, "how the phone's own pages and menus are locked", ""},
		{"security.admin_name", typeText, "`provision.admin_name`", "admin"},
		{"security.admin_password", typeText, "16 letters and digits, other ones for each device and always the same, or `provision.admin_password`; a secret; empty in " +
			"common files", ""},
		{"security.user_name", typeText, "`provision.user_name`", "user"},
		{"security.user_password", typeText, "8 digits, or `provision.user_password`; likewise", ""},
		{"web", typeObject, "", ""},
		{"web.enabled", typeBool, "the phone shows its pages: `provision.web_ui`, on by default", "true"},
		{"logs", typeObject, "", ""},
		{"logs.upload", typeBool, "the phone puts its logs on the server: `provision.logs.upload`, off by default", "false"},
		{"logs.level", typeText, "`error`, `warning`, `info` or `debug`: `provision.logs.level`", "warning"},
		{"logs.syslog_host", typeText, "`provision.logs.syslog_host`, empty = none", "log.example.com"},
		{"logs.syslog_port", typeInt, "`provision.logs.syslog_port`", "514"},
		{"network", typeObject, "", ""},
		{"network.vlan", typeInt, "`provision.network.vlan`, 0 = none", "20"},
		{"network.vlan_pc", typeInt, "of the port for a computer: `provision.network.vlan_pc`, 0 = none", "30"},
		{"network.lldp", typeBool, "the phone may learn its VLAN by LLDP: `provision.network.lldp`, on by default", "true"},
		{"network.dscp_signalling", typeInt, "0 to 63: `provision.network.dscp_signalling`", "26"},
		{"network.dscp_audio", typeInt, "0 to 63: `provision.network.dscp_audio`", "46"},
		{"dialplan", typeObject, "", ""},
		{"dialplan.digitmap", typeText, "numbers that are dialled without waiting: `provision.digitmap`, empty = the phone's own; the switch applies Kazoo's `dial_plan`",
			"[2-9]xx|911|1xxxxxxxxxx"},
		{"dialplan.timeout", typeInt, "seconds after the last digit, 1 to 14: `provision.digit_timeout`", "4"},
		{"firmware", typeObject, "", ""},
		{"firmware.url", typeText, "`provision.firmware`: a URL, or the URL of that file among the assets; empty = as it is", ""},
		{"assets", typeObject, "", ""},
		{"assets.logo", typeText, "`provision.logo`, likewise", ""},
		{"assets.ringtones", typeList, "`provision.ringtones`, likewise", ""},
		{"assets.ringtones[].name", typeText, "the file's name", "bell.wav"},
		{"assets.ringtones[].url", typeText, "", "http://phones.example.com:8080/p/.../assets/bell.wav"},
	}},
}

// timeIntro says what phones can be told of a time zone, and of which zones not.
func timeIntro() string {
	var out strings.Builder
	out.WriteString("Phones are told the standard offset and, where clocks change twice in the year of rendering, the weeks in which they do; without such a\n" +
		"pair of changes, the offset of the day. Files are rendered anew every day, and phones fetch them daily, so a rule that changes is\n" +
		"known a day later. With that, phones show the right time in all zones of the IANA database; these need a word:\n\n")
	for _, zone := range inexpressibleZones {
		fmt.Fprintf(&out, "- %s: %s\n", zone.Name, zone.Reason)
	}
	out.WriteString("\nA phone that always adds one hour is best given `time.offset_now`, and no changes, when `time.saving` is not 60. Where changes follow\n" +
		"the moon, the rule is right until the end of the year, and the next one has to be fetched in January.\n\n" +
		"Some brands do not know the first or last hours of the world: those say `offsets` in their manifest, and a phone in such a zone is given the\n" +
		"nearest offset that it takes. docs/vendors names the zones.")
	return out.String()
}

// sameMembers are the variables that have all members of another one.
var sameMembers = map[string]string{
	"lines[].codecs":       "codecs",
	"lines[].video_codecs": "codecs",
	"video_codecs":         "codecs",
	"time.stop":            "time.start",
	"keys.feature":         "keys.combo",

	"keys.expansion[].keys": "keys.line",
}

// A shape is what is known about a value of a view: its type, and the members of
// an object or of a list's elements.
type shape struct {
	Type    string
	Members map[string]*shape // of an object
	Element *shape            // of a list
}

// viewShape is the shape of a view.
var viewShape = newViewShape()

func newViewShape() *shape {
	root := &shape{Type: typeObject}
	for _, group := range variableGroups {
		for _, v := range group.List {
			root.at(v.Path).Type = v.Type
		}
	}
	for path, other := range sameMembers {
		to, from := root.at(path), root.at(other)
		to.Members, to.Element = from.Members, from.Element
	}
	return root
}

// at is the shape of a variable, made when it is new.
func (s *shape) at(path string) *shape {
	for name := range strings.SplitSeq(path, ".") {
		name, element := strings.CutSuffix(name, "[]")
		if s.Members == nil {
			s.Members = map[string]*shape{}
		}
		if s.Members[name] == nil {
			s.Members[name] = &shape{}
		}
		s = s.Members[name]
		if !element {
			continue
		}
		if s.Element == nil {
			s.Element = &shape{Type: typeObject}
		}
		s = s.Element
	}
	return s
}

// modelMembers are the members of model that are not attributes.
var modelMembers = sortedKeys(viewShape.Members["model"].Members)
