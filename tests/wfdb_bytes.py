"""Write WFDB samples as signal(5) describes each format, and headers as header(5) does; without any library."""

import numpy as np

from leadwise.ecg.leads import LEADS

BITS = {16: 16, 61: 16, 160: 16, 24: 24, 32: 32, 80: 8, 212: 12, 310: 10, 311: 10}


def encode(rows: np.ndarray, fmt: int) -> bytes:
    """Return digital rows (channels, T) as the content of a signal file, samples of all channels in turn."""
    if fmt == 8:
        return np.diff(rows, axis=1, prepend=rows[:, :1]).T.astype(np.int8).tobytes()
    x = rows.T.ravel().astype(np.int64)
    if fmt in (16, 32):
        return x.astype(f"<i{fmt // 8}").tobytes()
    if fmt == 61:
        return x.astype(">i2").tobytes()
    if fmt in (80, 160):
        return (x + 2 ** (BITS[fmt] - 1)).astype(f"<u{BITS[fmt] // 8}").tobytes()
    if fmt == 24:
        return b"".join(int(value).to_bytes(3, "little", signed=True) for value in x)
    if fmt == 212:
        a, b = (np.append(x, 0)[: len(x) + len(x) % 2] & 0xFFF).reshape(-1, 2).T
        return np.stack([a & 255, a >> 8 | b >> 8 << 4, b & 255], 1).astype(np.uint8).tobytes()
    a, b, c = (np.append(x, [0, 0])[: len(x) + -len(x) % 3] & 0x3FF).reshape(-1, 3).T
    if fmt == 310:
        return np.stack([a << 1 | (c & 31) << 11, b << 1 | c >> 5 << 11], 1).astype("<u2").tobytes()
    return (a | b << 10 | c << 20).astype("<u4").tobytes()


def header(rows: np.ndarray, fmt: int | str, record: str = "r 12 500 {length}", gain: str = "200(0)/mV") -> str:
    """Return the header of a record ``r`` whose signals are rows (12, T), with their true checksums."""
    lines = [record.format(length=rows.shape[1])]
    for lead, row in zip(LEADS, rows, strict=True):
        total = (int(row.sum()) + 32768) % 65536 - 32768
        lines.append(f"r.dat {fmt} {gain} 16 0 {row[0]} {total} 0 {lead}")
    return "\n".join(lines) + "\n# Age: 60\n"


def digital(samples: int = 600, height: float = 400) -> np.ndarray:
    """Return twelve sines, each of its own frequency, as whole steps (12, T)."""
    row = np.arange(12)[:, None]
    return np.round(height * (1 - row / 20) * np.sin(2 * np.pi * (1 + row / 10) * np.arange(samples) / 500 + row))
