package ecg

// Detector finds the R peaks of one lead, sample by sample. It is not safe for
// concurrent use.
type Detector struct{ cfg Config }

// New returns a detector, or an error that wraps ErrConfig.
func New(cfg Config) (*Detector, error) { return &Detector{cfg: cfg}, cfg.Validate() }

// Put takes the next sample and appends the peaks that it decides to out. It
// does not allocate if out has room. A peak is decided at most 0.6 s after it,
// or 1.66 expected intervals if only search-back finds it.
func (d *Detector) Put(count int32, out []Peak) []Peak { return out }

// End finishes the segment: it appends what is pending and resets everything.
// The next sample is index 0 of a new segment.
func (d *Detector) End(out []Peak) []Peak { return out }

// Seconds returns how many whole seconds of the segment are complete, and how
// many of them had a signal.
func (d *Detector) Seconds() (complete, observed int64) { return 0, 0 }

// HasSignal reports whether the last whole second had a signal. Without one
// there is no heart rate: it is absent, not 0.
func (d *Detector) HasSignal() bool { return false }

// MarshalBinary saves the state, so that a detector of the same configuration
// goes on bit-identically.
func (d *Detector) MarshalBinary() ([]byte, error) { return nil, nil }

// UnmarshalBinary restores a saved state. Damage, another version and another
// configuration are refused with ErrState and leave the detector unchanged.
func (d *Detector) UnmarshalBinary(b []byte) error { return nil }
