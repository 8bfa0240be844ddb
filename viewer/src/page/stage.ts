/** The picture on the page: zooming and panning, with mouse, fingers and keys. Lengths are CSS pixels; a scale is CSS
 * pixels per pixel of the picture. */

const STEP = 2 ** 0.5;
const MOST = 32;
const PAN = 64; // of an arrow key
const LARGE = 2; // device pixels per pixel, from which pixels are shown as squares

interface Point {
  x: number;
  y: number;
}

export class Stage {
  private readonly pointers = new Map<number, Point>();
  private scale = 1;
  private left = 0;
  private top = 0;
  private isFitted = true;

  /** canvases: of one size, one over the other. told: is called with the scale whenever it changes. */
  constructor(
    private readonly port: HTMLElement,
    private readonly canvases: readonly HTMLCanvasElement[],
    private readonly told: (scale: number) => void,
  ) {
    new ResizeObserver(() => (this.isFitted ? this.fit() : this.place())).observe(port);
    port.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    port.addEventListener("pointerdown", (event) => this.onDown(event));
    port.addEventListener("pointermove", (event) => this.onMove(event));
    for (const end of ["pointerup", "pointercancel"] as const)
      port.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    port.addEventListener("dblclick", (event) => (this.isFitted ? this.zoomTo(1 / devicePixelRatio, at(event, port)) : this.fit()));
  }

  /** The whole picture, not larger than it is. */
  fit(): void {
    const { width, height } = this.canvas;
    const { clientWidth, clientHeight } = this.port;
    this.isFitted = true;
    this.scale = Math.min(clientWidth / width, clientHeight / height, 1);
    this.left = (clientWidth - width * this.scale) / 2;
    this.top = (clientHeight - height * this.scale) / 2;
    this.place();
  }

  /** A pixel of the picture is one of the screen. */
  full(): void {
    this.zoomTo(1 / devicePixelRatio, this.middle());
  }

  zoom(steps: number): void {
    this.zoomTo(this.scale * STEP ** steps, this.middle());
  }

  pan(right: number, down: number): void {
    this.move(-right * PAN, -down * PAN);
  }

  private get canvas(): HTMLCanvasElement {
    return this.canvases[0];
  }

  private middle(): Point {
    return { x: this.port.clientWidth / 2, y: this.port.clientHeight / 2 };
  }

  private zoomTo(wanted: number, about: Point): void {
    if (this.canvas.hidden) return;
    const { width, height } = this.canvas;
    const smallest = Math.min(this.port.clientWidth / width, this.port.clientHeight / height, 1) / 2;
    const scale = Math.min(Math.max(wanted, smallest), MOST);
    this.left = about.x - ((about.x - this.left) * scale) / this.scale;
    this.top = about.y - ((about.y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.isFitted = false;
    this.place();
  }

  private move(x: number, y: number): void {
    if (this.canvas.hidden) return;
    this.left += x;
    this.top += y;
    this.isFitted = false;
    this.place();
  }

  /** Puts the canvas where it belongs: in the middle where it is smaller than the port, else without a gap. */
  private place(): void {
    const inside = (offset: number, size: number, room: number) =>
      size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, offset));
    const { width, height } = this.canvas;
    this.left = inside(this.left, width * this.scale, this.port.clientWidth);
    this.top = inside(this.top, height * this.scale, this.port.clientHeight);
    for (const canvas of this.canvases) {
      canvas.style.transform = `translate(${this.left}px, ${this.top}px) scale(${this.scale})`;
      canvas.classList.toggle("large", this.scale * devicePixelRatio >= LARGE);
    }
    this.port.classList.toggle(
      "pans",
      width * this.scale > this.port.clientWidth || height * this.scale > this.port.clientHeight,
    );
    if (!this.canvas.hidden) this.told(this.scale);
  }

  private onWheel(event: WheelEvent): void {
    event.preventDefault();
    this.zoomTo(this.scale * 2 ** (-event.deltaY / (event.ctrlKey ? 100 : 400)), at(event, this.port));
  }

  private onDown(event: PointerEvent): void {
    if (event.button !== 0 || (event.target as Element).closest("button, label")) return;
    this.port.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, at(event, this.port));
  }

  /** One pointer pans, two pinch. */
  private onMove(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = at(event, this.port);
    this.pointers.set(event.pointerId, now);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) {
      this.move(now.x - before.x, now.y - before.y);
      return;
    }
    const distance = (from: Point) => Math.max(1, Math.hypot(from.x - other.x, from.y - other.y));
    const centre = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.zoomTo((this.scale * distance(now)) / distance(before), centre);
    this.move((now.x - before.x) / 2, (now.y - before.y) / 2);
  }
}

function at(event: MouseEvent, port: HTMLElement): Point {
  const { left, top } = port.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}
