# Writes the golden files of this folder with NumPy and SciPy.
import numpy as np, scipy.sparse as sp
from numpy.lib import format as npf

a = np.array([[1.5, -2.0, 0.0], [65504.0, 6.1e-5, 0.333251953125]])
for name, dtype in {"f2": "<f2", "f4": "<f4", "f8": "<f8", "be_f2": ">f2", "be_f4": ">f4", "be_f8": ">f8"}.items():
    np.save(f"{name}.npy", a.astype(dtype))
np.save("fortran.npy", np.asfortranarray(a.astype("<f4")))
for major in (2, 3):
    with open(f"v{major}.npy", "wb") as f:
        npf.write_array(f, a.astype("<f4"), version=(major, 0))
np.save("vector.npy", np.array([1, 2.5, -3], "<f4"))
np.save("cube.npy", np.zeros((2, 2, 2), "<f4"))
np.save("int.npy", np.zeros((2, 2), "<i8"))
np.save("struct.npy", np.zeros(2, [("x", "<f4"), ("y", "<f4")]))
np.save("object.npy", np.array([[{}]], dtype=object), allow_pickle=True)

m = sp.csr_matrix(np.array([[0, 1.5, 0, -2], [0, 0, 0, 0], [3, 0, 0.25, 0]]))
sp.save_npz("deflated_f8.npz", m)
sp.save_npz("stored_f4.npz", m.astype("f4"), compressed=False)
w = m.astype("f4")
w.indices, w.indptr = w.indices.astype("i8"), w.indptr.astype("i8")
sp.save_npz("wide.npz", w)
sp.save_npz("array.npz", sp.csr_array(m.astype("f2").astype("f4")))
u = m.astype("f4")
u.indices[:2], u.data[:2] = u.indices[:2][::-1].copy(), u.data[:2][::-1].copy()
sp.save_npz("unsorted.npz", u)
d = sp.csr_matrix((np.ones(2, "f4"), np.array([1, 1]), np.array([0, 2])), shape=(1, 3))
sp.save_npz("duplicate.npz", d)
sp.save_npz("csc.npz", m.tocsc())
