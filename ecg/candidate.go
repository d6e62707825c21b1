package ecg

// listed is how many rejected candidates search-back can return to, and how
// many candidates the learning period can hold.
const listed = 64

// candidate is a maximum of the integrated signal that may be a beat.
type candidate struct {
	p     int64 // sample of the maximum
	at    int64 // sample at which it was decided upon
	v     int64 // integrated signal at p
	f     int64 // largest |b| of the window that ends at p
	slope int64 // largest |d| of that window
	index int64 // R peak: sample
	frac  int32 // 1/1024 sample
	amp   int32 // raw uV
}

// candidates is a bounded queue, oldest first.
type candidates struct {
	of [listed]candidate
	n  int
}

// push appends c; a full queue loses its oldest member.
func (q *candidates) push(c candidate) {
	if q.n == listed {
		copy(q.of[:], q.of[1:])
		q.n--
	}
	q.of[q.n] = c
	q.n++
}

// dropUntil removes the candidates at or before sample p.
func (q *candidates) dropUntil(p int64) {
	i := 0
	for i < q.n && q.of[i].p <= p {
		i++
	}
	q.n = copy(q.of[:], q.of[i:q.n])
}

// tracker follows the integrated signal to its maxima (Hamilton and Tompkins,
// peak detection).
type tracker struct {
	on bool
	p  int64 // place of the maximum so far
	v  int64 // its value
}

// follow looks at the newest sample; it reports whether a maximum stands.
func (t *tracker) follow(f *filter) bool {
	n := f.n - 1
	v := f.m[n&f.mask]
	switch {
	case !t.on && v > f.m[(n-1)&f.mask]:
		t.on, t.p, t.v = true, n, v
	case t.on && v > t.v:
		t.p, t.v = n, v
	}
	return t.on && n-t.p >= f.confirm
}

// next leaves the maximum that stood and looks for the one behind it: the
// largest value after the smallest in (p, n].
func (t *tracker) next(f *filter) {
	n := f.n - 1
	low := t.p + 1
	for i := low + 1; i <= n; i++ {
		if f.m[i&f.mask] < f.m[low&f.mask] {
			low = i
		}
	}
	top := low
	for i := low + 1; i <= n; i++ {
		if f.m[i&f.mask] > f.m[top&f.mask] {
			top = i
		}
	}
	t.on, t.p, t.v = top > low, top, f.m[top&f.mask]
}

// candidateAt measures the maximum at p; it reports false if a step of the
// baseline made it.
func (f *filter) candidateAt(p int64) (c candidate, ok bool) {
	c = candidate{p: p, at: f.n - 1, v: f.m[p&f.mask]}
	q := p - f.window - 2*f.k
	for i := q; i <= p-2*f.k; i++ {
		if v := abs(int64(f.b[i&f.mask])); v > c.f {
			c.f, q = v, i
		}
	}
	for i := p - f.window; i <= p; i++ {
		c.slope = max(c.slope, abs(int64(f.d[i&f.mask])))
	}
	c.index, c.frac, c.amp = f.fiducial(q)
	return c, !f.isStep(q)
}
