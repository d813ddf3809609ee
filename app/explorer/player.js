// Plays numbered frames. Knows neither the state nor the service.

const CALM_FRAMES_A_SECOND = 3;
export const FRAMES_A_SECOND = 30;

/** Shows one frame after the other, there and back or round, until it is stopped. Where one wants
 * less motion: slowly, and once; `ended` is called when it ends by itself. It ends with `view`. */
export function makePlayer(view, show, ended) {
  let playing = null;

  function start(from, count, round) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const pace = calm ? CALM_FRAMES_A_SECOND : FRAMES_A_SECOND;
    const first = calm && from === count - 1 ? 0 : from;
    const began = performance.now();
    let last = -1;
    const run = (now) => {
      if (playing !== run || !view.isConnected) return;
      const step = first + Math.max(0, Math.floor(((now - began) / 1000) * pace));
      if (calm && step >= count) return ended();
      const turn = step % (round ? count : 2 * (count - 1));
      const frame = turn < count ? turn : 2 * (count - 1) - turn;
      if (frame !== last) show((last = frame));
      requestAnimationFrame(run);
    };
    playing = run;
    requestAnimationFrame(run);
  }

  return {
    start,
    stop: () => (playing = null),
    get playing() {
      return playing !== null;
    },
  };
}
