package wire

import (
	"log/slog"
	"sort"
	"sync"
	"time"

	"statnet/wire/pb"
)

const (
	linkProtocol = 1  // of Hello and Welcome
	linkCredit   = 4  // unacknowledged chunks of one upload
	linkQueue    = 32 // messages waiting for one gateway
	maxUploads   = 8  // uploads of one gateway at once
	maxUnended   = 64 // queries in one Hello
)

// Task is one query for one gateway. query step Q3.
type Task struct {
	QueryID  []byte // 32 bytes
	Ticket   []byte // what the gateway checks for itself
	Deadline time.Time
}

// HubConfig says what a server does with its gateways' messages. Gateways are
// named by id, "gw-1". Every function is called from the goroutine of that
// gateway's link, may be called for several gateways at once, and delays only
// that gateway while it runs. Nil functions are not called.
type HubConfig struct {
	Log *slog.Logger
	// MaxUpload is how many bytes this gateway may upload for a query now; 0
	// refuses. It is asked before memory is taken. Nil refuses everything.
	MaxUpload func(gateway string, queryID []byte) int64
	// OnAttach returns the tasks that the gateway should work on. A task may
	// reach it twice, here and by Send.
	OnAttach func(gateway string, lastNote []byte) []Task
	// OnUpload gets an upload that is complete. It may get the same one again
	// when the link breaks before the last acknowledgement.
	OnUpload func(gateway string, queryID, data []byte)
	// OnFailed hears that the gateway declines a query.
	OnFailed func(gateway string, queryID []byte, code uint32, reason string)
	// OnRefused hears that an upload broke a rule, e.g. announced too much.
	OnRefused func(gateway string, queryID []byte, err error)
	// Checkpoint returns the newest note, for Welcome.
	Checkpoint func() []byte
}

// LinkHub holds the streams of the gateways attached to one server.
type LinkHub struct {
	cfg       HubConfig
	recheck   time.Duration // how often an open link's gateway is looked up in the roster
	receivers sync.WaitGroup

	mu       sync.Mutex
	links    map[string]*link                  // by gateway id; guarded by mu
	uploads  map[string]map[[32]byte]*assembly // by gateway id and query, survive a link; guarded by mu
	draining bool                              // guarded by mu
}

// NewLinkHub makes a hub to register with a Server.
func NewLinkHub(cfg HubConfig) *LinkHub {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &LinkHub{
		cfg: cfg, recheck: 5 * time.Second,
		links: map[string]*link{}, uploads: map[string]map[[32]byte]*assembly{},
	}
}

// Attached lists the gateways that hold a stream now, sorted.
func (h *LinkHub) Attached() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := make([]string, 0, len(h.links))
	for id := range h.links {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// Send queues a task for a gateway and never waits: ErrNotAttached, or
// ErrQueueFull after dropping the link. query step Q3.
//
// nil says the task is queued, not that the gateway has it.
func (h *LinkHub) Send(gateway string, t Task) error {
	if err := checkTask(t); err != nil {
		return err
	}
	return h.push(gateway, &pb.AttachResponse{Message: &pb.AttachResponse_Task{Task: taskToPB(t)}})
}

// Cancel tells every attached gateway to stop working on a query and frees
// what they have uploaded of it.
func (h *LinkHub) Cancel(queryID []byte) {
	if len(queryID) != queryIDSize {
		return
	}
	h.mu.Lock()
	for _, uploads := range h.uploads {
		delete(uploads, [32]byte(queryID))
	}
	h.mu.Unlock()
	for _, gateway := range h.Attached() {
		// A gateway that is gone or full hears nothing and needs nothing.
		_ = h.push(gateway, cancelMessage(queryID))
	}
}

// Drain asks every gateway to leave and lets no other attach.
func (h *LinkHub) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	for _, l := range h.links {
		l.drain()
	}
}

func (h *LinkHub) push(gateway string, m *pb.AttachResponse) error {
	h.mu.Lock()
	l := h.links[gateway]
	h.mu.Unlock()
	if l == nil {
		return ErrNotAttached
	}
	return l.push(m)
}

// register makes l the link of its gateway. An older one ends: the gateway
// has noticed that it is dead before we have.
func (h *LinkHub) register(l *link) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return NewError(CodeUnavailable, "server is stopping")
	}
	if older := h.links[l.gateway]; older != nil {
		older.end(NewError(CodeStale, "replaced by a newer stream of %s", l.gateway))
	}
	h.links[l.gateway] = l
	return nil
}

// unregister forgets l unless a newer link took its place.
func (h *LinkHub) unregister(l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.links[l.gateway] == l {
		delete(h.links, l.gateway)
	}
}

// received says how much of an upload is held, 0 if nothing.
func (h *LinkHub) received(gateway string, id [32]byte) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.uploads[gateway][id]; a != nil {
		return a.received()
	}
	return 0
}

// chunk adds a chunk to the upload it belongs to and returns how much is held,
// and all of it once it is complete.
func (h *LinkHub) chunk(l *link, c *pb.Chunk) (held uint64, whole []byte, err error) {
	id := [32]byte(c.GetQueryId())
	var fresh *assembly
	if c.GetOffset() == 0 {
		var max int64
		if h.cfg.MaxUpload != nil {
			max = h.cfg.MaxUpload(l.gateway, id[:])
		}
		if fresh, err = newAssembly(c.GetTotal(), max); err != nil {
			return 0, nil, err
		}
		h.purge(l.gateway, id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.links[l.gateway] != l {
		return 0, nil, NewError(CodeStale, "link was replaced")
	}
	if fresh != nil {
		if err := h.begin(l.gateway, id, fresh); err != nil {
			return 0, nil, err
		}
	}
	a := h.uploads[l.gateway][id]
	if a == nil || c.GetOffset() != a.received() || c.GetTotal() != uint64(a.total) {
		delete(h.uploads[l.gateway], id)
		return 0, nil, NewError(CodeMalformed, "chunk at %d of %d does not continue an upload", c.GetOffset(), c.GetTotal())
	}
	if err := a.add(c.GetData()); err != nil {
		delete(h.uploads[l.gateway], id)
		return 0, nil, err
	}
	if a.complete() {
		delete(h.uploads[l.gateway], id)
		return a.received(), a.buf, nil
	}
	return a.received(), nil, nil
}

// begin starts an upload or starts it again. Callers hold mu.
func (h *LinkHub) begin(gateway string, id [32]byte, fresh *assembly) error {
	if h.uploads[gateway] == nil {
		h.uploads[gateway] = map[[32]byte]*assembly{}
	}
	if h.uploads[gateway][id] == nil && len(h.uploads[gateway]) >= maxUploads {
		return NewError(CodeRate, "%d uploads of %s at once, at most %d", maxUploads, gateway, maxUploads)
	}
	h.uploads[gateway][id] = fresh
	return nil
}

// purge frees a gateway's unfinished uploads, other than keep, of queries that
// are over, so that they do not count against new ones.
func (h *LinkHub) purge(gateway string, keep [32]byte) {
	h.mu.Lock()
	var ids [][32]byte
	for id := range h.uploads[gateway] {
		if id != keep {
			ids = append(ids, id)
		}
	}
	h.mu.Unlock()
	for _, id := range ids {
		if h.cfg.MaxUpload(gateway, id[:]) <= 0 { // asked outside mu: it may call back
			h.mu.Lock()
			delete(h.uploads[gateway], id)
			h.mu.Unlock()
		}
	}
}

func checkTask(t Task) error {
	return firstError(exactly("query id", t.QueryID, queryIDSize), between("ticket", t.Ticket, MaxTicket))
}

func taskToPB(t Task) *pb.Task {
	return &pb.Task{QueryId: t.QueryID, Ticket: t.Ticket, DeadlineUnixMs: t.Deadline.UnixMilli()}
}

func cancelMessage(queryID []byte) *pb.AttachResponse {
	return &pb.AttachResponse{Message: &pb.AttachResponse_Cancel{Cancel: &pb.Cancel{QueryId: queryID}}}
}
