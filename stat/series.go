package stat

// Window is a half-open range of Unix seconds, multiples of 300.
type Window struct{ From, To int64 }

// Hours cuts [from, to) at whole UTC hours: the windows of the questions, one
// Series question each, that a series is composed of. The first and the last
// may be shorter than an hour.
func Hours(from, to int64) []Window { return nil }

// Join composes the answers to the questions of Hours, in that order, into one
// result whose value is a []SeriesPoint. nil stands for an hour that could not
// be answered.
func Join(windows []Window, answers []*Result) (Result, error) { return Result{}, nil }
