package main_test

import (
	"math"
	"strconv"
	"testing"
)

// visions simulate, on linear RGB, the two common kinds of colour blindness in
// full (Machado, Oliveira and Fernandes, 2009), beside normal vision.
func visions() map[string][3][3]float64 {
	return map[string][3][3]float64{
		"normal": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanope": {
			{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998},
		},
		"deuteranope": {
			{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881},
		},
	}
}

// distances are how far two colours, as #RRGGBB, are apart in Oklab for each
// kind of vision. Black and white are 1 apart.
func distances(t *testing.T, a, b string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for kind, seen := range visions() {
		p, q := oklab(apply(seen, linear(t, a))), oklab(apply(seen, linear(t, b)))
		all[kind] = math.Sqrt(square(p[0]-q[0]) + square(p[1]-q[1]) + square(p[2]-q[2]))
	}
	return all
}

func square(x float64) float64 { return x * x }

// linear decodes sRGB.
func linear(t *testing.T, colour string) (rgb [3]float64) {
	t.Helper()
	for i := range rgb {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			rgb[i] = v / 12.92
		} else {
			rgb[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return rgb
}

func apply(m [3][3]float64, v [3]float64) (out [3]float64) {
	for i, row := range m {
		out[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return out
}

func oklab(rgb [3]float64) [3]float64 {
	lms := apply([3][3]float64{
		{0.4122214708, 0.5363325363, 0.0514459929}, {0.2119034982, 0.6806995451, 0.1073969566}, {0.0883024619, 0.2817188376, 0.6299787005},
	}, rgb)
	for i, v := range lms {
		lms[i] = math.Cbrt(v)
	}
	return apply([3][3]float64{
		{0.2104542553, 0.7936177850, -0.0040720468}, {1.9779984951, -2.4285922050, 0.4505937099}, {0.0259040371, 0.7827717662, -0.8086757660},
	}, lms)
}
