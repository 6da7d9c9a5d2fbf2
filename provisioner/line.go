package provisioner

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"dialtone/models"
)

// A line is one SIP account of the phone.
type line struct {
	Number      int    // from 1
	DeviceID    string // the device that registers on it
	Enabled     bool
	Username    string
	Password    models.Secret // "" while the line is disabled
	Realm       string        // the SIP domain
	DisplayName string        // as callees see it
	Label       string        // beside the line key
	PresenceID  string        // what others monitor it by, without realm
	Servers     []sipServer   // where requests are sent, the preferred one first; never empty
	Transport   string        // "udp", "tcp", "tls" or "auto"
	Expires     int           // seconds
	SRTP        string        // "off", "optional" or "required"
	document    models.Document
}

// A sipServer is a registrar or outbound proxy.
type sipServer struct {
	Host string
	Port int // 0: found by DNS
}

// maxServers is how many of a list of proxies count.
const maxServers = 4

// deriveLine is the line that a device makes, from its own layers.
func (b *brand) deriveLine(number int, phone *models.Phone, doc models.Document, users []*models.User, registrar string) line {
	l := line{
		Number:      number,
		DeviceID:    phone.Device.ID,
		Enabled:     phone.Enabled(),
		Username:    phone.Device.SIP.Username,
		Password:    phone.Device.SIP.Password,
		Realm:       phone.Realm(),
		DisplayName: displayName(phone),
		PresenceID:  presenceID(phone, users),
		Transport:   b.transport(doc.Text("sip.transport")),
		Expires:     300,
		SRTP:        srtpMode(doc),
		document:    doc,
	}
	if expires, _ := doc.Int("sip.expire_seconds"); expires > 0 {
		l.Expires = expires
	}
	if !l.Enabled {
		l.Password = ""
	}
	l.Label = l.DisplayName
	if phone.Owner != nil && phone.Owner.Label() != "" {
		l.Label = phone.Owner.Label()
	}
	l.Servers = sipServers(cmp.Or(doc.Text("sip.proxy"), registrar, l.Realm), defaultPort(l.Transport))
	return l
}

// sipServers reads a comma-separated list of proxies.
func sipServers(list string, port int) []sipServer {
	var servers []sipServer
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" || len(servers) == maxServers {
			continue
		}
		host, own := splitHostPort(item)
		servers = append(servers, sipServer{host, cmp.Or(own, port)})
	}
	if len(servers) == 0 {
		return []sipServer{{Port: port}}
	}
	return servers
}

// presenceID is what others monitor the device by: its owner's presence id,
// that of the first user logged in to it when it has no owner, its own, or its
// SIP username.
func presenceID(phone *models.Phone, users []*models.User) string {
	id := ""
	if phone.Owner != nil {
		id = phone.Owner.PresenceID
	} else {
		id = hotdeskPresence(phone, users)
	}
	id, _, _ = strings.Cut(cmp.Or(id, phone.Device.PresenceID, phone.Device.SIP.Username), "@")
	return id
}

func hotdeskPresence(phone *models.Phone, users []*models.User) string {
	for _, id := range hotdeskUsers(phone) {
		i := slices.IndexFunc(users, func(u *models.User) bool { return u.ID == id })
		if i >= 0 && users[i].PresenceID != "" {
			return users[i].PresenceID
		}
	}
	return ""
}

// hotdeskUsers are the ids of the users logged in to a device, sorted.
func hotdeskUsers(phone *models.Phone) []string {
	v, _ := phone.Device.Document.Lookup("hotdesk.users")
	users, _ := v.(map[string]any)
	return slices.DeleteFunc(sortedKeys(users), func(id string) bool { return !models.ValidID(id) })
}

// callerID is a member of the caller id of internal calls, or of external ones.
func (l line) callerID(member string) string {
	return cmp.Or(l.document.Text("caller_id.internal."+member), l.document.Text("caller_id.external."+member))
}

// musicOnHold is passed on when the phone could play it: a SIP URI. Other music
// the switch plays.
func (l line) musicOnHold() string {
	if uri := l.document.Text("music_on_hold.media_id"); strings.HasPrefix(uri, "sip:") {
		return uri
	}
	return ""
}

// transport is one that the brand has a word for, UDP when it has none.
func (b *brand) transport(name string) string {
	name = strings.ToLower(name)
	if _, ok := b.Transports[name]; ok {
		return name
	}
	return "udp"
}

// displayName is the first of: the device's name, the owner's first and last
// name, the account's name.
func displayName(phone *models.Phone) string {
	owner := ""
	if phone.Owner != nil {
		owner = strings.TrimSpace(phone.Owner.FirstName + " " + phone.Owner.LastName)
	}
	return cmp.Or(phone.Device.Name, owner, phone.Account.Name)
}

func srtpMode(doc models.Document) string {
	switch {
	case !slices.Contains(doc.Texts("media.encryption.methods"), "srtp"):
		return "off"
	case doc.Flag("media.encryption.enforce_security", false):
		return "required"
	}
	return "optional"
}

// splitHostPort reads host, host:port or [v6]:port; the port is 0 when there
// is none.
func splitHostPort(hostport string) (string, int) {
	host, text, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"), 0
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, int(port)
}

// defaultPort of a transport (RFC 3261, section 19.1.2); 0 for "auto", where
// DNS tells transport and port.
func defaultPort(transport string) int {
	switch transport {
	case "auto":
		return 0
	case "tls":
		return 5061
	}
	return 5060
}
